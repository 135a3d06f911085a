/* SPDX-License-Identifier: MIT */
/*
 * Memory: pages, and the one page table, of as many levels as the machine has. There is one program, so all CPUs use the same.
 *
 * The kernel maps itself, as its machine does that. The rest belongs to the program, and the table is the only
 * record of it: an entry that is not 0 is mapped, and says what the program may do. V stays clear until such a page is touched
 * (or if it may not be), so that the hardware ignores the rest of the entry. Two bits of an entry are software's: PTE_MAPPED
 * marks a page of the program, V or not; PTE_KERNELS one of the kernel, which is never freed and keeps its permissions.
 */
#include "kernel.h"

#define PTE_ACCESS ((uint64_t)(READ | WRITE | EXEC))
#define ENTRIES (PAGE / sizeof(uint64_t))
#define LEAF_SPAN (ENTRIES * PAGE)
#define LEVEL_SHIFT (PAGE_SHIFT - 3)

extern uint8_t kernel_end[];

static struct lock mm_lock;
static uint64_t root[ENTRIES] __attribute__((aligned(PAGE)));
static uint64_t *free_pages; /* a list; the first word of each page leads to the next */
static uint64_t next_page;   /* no page from here on was ever used */
static uint64_t map_changes; /* counts the changes that took a page or a permission away */

/* Returns a page of zeros; NULL when memory is out. */
static void *page_new(void)
{
	uint64_t *page = free_pages;

	if (page) {
		free_pages = (uint64_t *)page[0];
	} else {
		for (unsigned i = 0; i < sizeof(machine.taken) / sizeof(machine.taken[0]); i++)
			if (next_page < machine.taken[i].end && next_page + PAGE > machine.taken[i].start)
				next_page = (machine.taken[i].end + PAGE - 1) & -PAGE;
		if (next_page + PAGE > machine.memory.end)
			return NULL;
		page = (uint64_t *)next_page;
		next_page += PAGE;
	}
	for (unsigned i = 0; i < PAGE / sizeof(*page); i++)
		page[i] = 0;
	return page;
}

static void page_free(void *page)
{
	*(uint64_t **)page = free_pages;
	free_pages = page;
}

/* Tells whether the program may have a range: below the end of user space, and not where the kernel is. */
static int is_user(uint64_t address, uint64_t size)
{
	const struct range *kernel = &machine.kernel;

	return address < USER_END && size <= USER_END - address && (address + size <= kernel->start || address >= kernel->end);
}

/* Returns the entry of an address of the program; NULL if it has no table (and none was to be made, or could be). */
static uint64_t *entry(uint64_t address, int make)
{
	uint64_t *table = root;

	if (!is_user(address, 1))
		return NULL;
	for (int shift = PTE_TOP_SHIFT; shift > PAGE_SHIFT; shift -= LEVEL_SHIFT) {
		uint64_t *pte = &table[address >> shift & (ENTRIES - 1)];

		if (!*pte) {
			void *page = make ? page_new() : NULL;

			if (!page)
				return NULL;
			*pte = pte_of(page, PTE_TABLE);
		}
		table = page_of(*pte);
	}
	return &table[address >> PAGE_SHIFT & (ENTRIES - 1)];
}

void mm_init(void)
{
	next_page = (uintptr_t)kernel_end;
	machine_map(root);
}

/* Turns paging on. Runs on each CPU. */
void mm_use(void)
{
	cpu_use(root);
}

/* Maps a page of the kernel for the program: at boot, before the program runs. */
void mm_map_kernel(uint64_t address, const void *page, uint64_t access)
{
	uint64_t *pte = entry(address, 1);

	if (!pte)
		panic("cannot map %lx\n", address);
	*pte = pte_of(page, PTE_V | access | pte_rights(access) | PTE_MAPPED | PTE_KERNELS);
}

/* Returns the entry with another access. V is set if the entry has a page that may be used. */
static uint64_t with_access(uint64_t pte, uint64_t access)
{
	pte = (pte & ~(PTE_ACCESS | PTE_RIGHTS | PTE_V)) | access | pte_rights(access) | PTE_MAPPED;
	return page_of(pte) && access ? pte | PTE_V : pte;
}

/*
 * Makes all CPUs forget old entries, and what they fetched as code. CPUs in user mode are interrupted. All forget on their way
 * back there: the kernel itself never uses an address of the program. A CPU first says that it is in user mode and then looks
 * for a change; here the order is the other way round, so at least one of the two sees the other.
 */
static void forget(void)
{
	uint64_t changes = __atomic_add_fetch(&map_changes, 1, __ATOMIC_SEQ_CST);

	for (unsigned i = 0; i < machine.cpus; i++) {
		struct cpu *cpu = &cpus[i];

		if (!__atomic_load_n(&cpu->in_user, __ATOMIC_SEQ_CST))
			continue;
		cpu_wake(cpu);
		while (__atomic_load_n(&cpu->in_user, __ATOMIC_SEQ_CST) && __atomic_load_n(&cpu->map_seen, __ATOMIC_SEQ_CST) < changes)
			;
	}
}

void mm_code_changed(void)
{
	lock(&mm_lock);
	forget();
	unlock(&mm_lock);
}

void mm_enter_user(void)
{
	struct cpu *cpu = this_cpu();
	uint64_t changes;

	__atomic_store_n(&cpu->in_user, 1, __ATOMIC_SEQ_CST);
	changes = __atomic_load_n(&map_changes, __ATOMIC_SEQ_CST);
	if (cpu->map_seen != changes)
		cpu_forget_all();
	__atomic_store_n(&cpu->map_seen, changes, __ATOMIC_SEQ_CST);
}

static void unmap(uint64_t start, uint64_t end)
{
	uint64_t known = 0; /* some CPU may remember it */

	for (int pass = 0; pass < 2; pass++) {
		for (uint64_t at = start; at < end; at += PAGE) {
			uint64_t *pte = entry(at, 0);

			if (!pte) {
				at = (at | (LEAF_SPAN - 1)) + 1 - PAGE;
			} else if (pass == 0) {
				known |= *pte & PTE_V;
				*pte &= ~PTE_V;
			} else {
				if (page_of(*pte) && !(*pte & PTE_KERNELS))
					page_free(page_of(*pte));
				*pte = 0;
			}
		}
		if (pass == 0 && known) /* a page may be used anew only when no CPU remembers it */
			forget();
	}
}

long mm_unmap(uint64_t address, uint64_t size)
{
	if (address % PAGE || !size || !is_user(address, size))
		return -EINVAL;
	lock(&mm_lock);
	unmap(address, address + size);
	unlock(&mm_lock);
	return 0;
}

/* Maps pages of zeros in place of what was there. */
long mm_map(uint64_t address, uint64_t size, uint64_t access)
{
	long result = 0;

	if (address % PAGE || !size || !is_user(address, size))
		return -EINVAL;
	lock(&mm_lock);
	unmap(address, address + size);
	for (uint64_t at = address; at < address + size; at += PAGE) {
		uint64_t *pte = entry(at, 1);

		if (!pte) {
			unmap(address, at);
			result = -ENOMEM;
			break;
		}
		*pte = with_access(0, access);
	}
	unlock(&mm_lock);
	return result;
}

long mm_protect(uint64_t address, uint64_t size, uint64_t access)
{
	uint64_t known = 0;
	long result = 0;

	if (address % PAGE || !is_user(address, size))
		return -EINVAL;
	lock(&mm_lock);
	for (uint64_t at = address; at < address + size && !result; at += PAGE) {
		uint64_t *pte = entry(at, 0);

		if (!pte || !*pte)
			result = -ENOMEM;
		else if (*pte & PTE_KERNELS)
			result = -EACCES;
		else {
			known |= *pte & PTE_V;
			*pte = with_access(*pte, access);
		}
	}
	if (known || access & EXEC)
		forget();
	unlock(&mm_lock);
	return result;
}

/* Makes the page of `address` usable as `access` says, and returns where the kernel sees it; NULL if the program may not. */
static void *touch(uint64_t address, uint64_t access)
{
	uint64_t *pte = entry(address, 0);

	if (!pte || (*pte & access) != access)
		return NULL;
	if (!page_of(*pte)) {
		void *page = page_new();

		if (!page)
			return NULL;
		*pte = with_access(pte_of(page, *pte), *pte & PTE_ACCESS);
	}
	return (uint8_t *)page_of(*pte) + address % PAGE;
}

/* Handles a page fault of the program. Returns 0, or the si_code of its SIGSEGV. */
int mm_fault(uint64_t address, uint64_t access)
{
	uint64_t *pte;
	int code;

	lock(&mm_lock);
	pte = entry(address, 0);
	code = touch(address, access) ? 0 : pte && *pte ? 2 /* SEGV_ACCERR */ : 1 /* SEGV_MAPERR */;
	unlock(&mm_lock);
	cpu_forget(address); /* also if another CPU was faster: forget the old entry */
	return code;
}

/* Copies by the kernel's own map, after it has checked that the program may: there is no fault. */
static int copy(uint64_t user, uint8_t *kernel, size_t size, uint64_t access, int out)
{
	int result = 0;

	lock(&mm_lock);
	while (size && !result) {
		size_t part = PAGE - user % PAGE;
		uint8_t *at = touch(user, access);

		part = part < size ? part : size;
		if (!at)
			result = -EFAULT;
		else if (out)
			memcpy(at, kernel, part);
		else
			memcpy(kernel, at, part);
		user += part;
		kernel += part;
		size -= part;
	}
	unlock(&mm_lock);
	return result;
}

int copy_in(void *to, uint64_t from, size_t size)
{
	return copy(from, to, size, READ, 0);
}

int copy_out(uint64_t to, const void *from, size_t size)
{
	return copy(to, (void *)(uintptr_t)from, size, WRITE, 1);
}

/* Fills pages that the program itself may not write. */
int copy_code(uint64_t to, const void *from, size_t size)
{
	return copy(to, (void *)(uintptr_t)from, size, 0, 1);
}
