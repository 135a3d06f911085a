/* SPDX-License-Identifier: MIT */
/*
 * Memory: pages, and the one Sv39 page table. There is one program, so all harts use the same.
 *
 * The kernel is one 1 GiB leaf without the U bit, mapped one to one. Another one, behind the program's half, has the devices of
 * the first GiB, read-only. The rest belongs to the program, and the table is the only record of it: an entry that is not 0 is mapped, and says what the program may do. V stays clear until such a page is
 * touched (or if it may not be), so that the hardware ignores the rest of the entry.
 */
#include "kernel.h"

#define PTE_V 1ul
#define PTE_USER 0x10ul
#define PTE_GLOBAL 0x20ul
#define PTE_AD 0xc0ul	     /* accessed and dirty: set at once, so that no hardware has to */
#define PTE_MAPPED 0x100ul   /* a bit of ours: a page of the program, V or not */
#define PTE_KERNELS 0x200ul  /* a bit of ours: a page of the kernel, which is never freed and keeps its permissions */
#define PTE_ACCESS (READ | WRITE | EXEC)
#define GIGA (1ul << 30)
#define DEVICES 0xffffffc000000000ul /* entry 256 of the root */
#define LEAF_SPAN (512 * PAGE)

extern uint8_t kernel_end[];

static struct lock mm_lock;
static uint64_t root[512] __attribute__((aligned(4096)));
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
		if (next_page < machine.initrd_end && next_page + PAGE > machine.initrd)
			next_page = (machine.initrd_end + PAGE - 1) & -PAGE;
		if (next_page < machine.fdt_end && next_page + PAGE > machine.fdt)
			next_page = (machine.fdt_end + PAGE - 1) & -PAGE;
		if (next_page + PAGE > machine.memory_end)
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

static void *page_of(uint64_t pte)
{
	return (void *)(pte >> 10 << 12);
}

static uint64_t pte_of(const void *page, uint64_t bits)
{
	return (uintptr_t)page >> 12 << 10 | bits;
}

/* Tells whether the program may have a range: below the end of user space, and not where the kernel is. */
static int is_user(uint64_t address, uint64_t size)
{
	uint64_t kernel = (uintptr_t)kernel_end / GIGA * GIGA;

	return address < USER_END && size <= USER_END - address && (address + size <= kernel || address >= kernel + GIGA);
}

/* Returns the entry of an address of the program; NULL if it has no table (and none was to be made, or could be). */
static uint64_t *entry(uint64_t address, int make)
{
	uint64_t *table = root;

	if (!is_user(address, 1))
		return NULL;
	for (int shift = 30; shift > 12; shift -= 9) {
		uint64_t *pte = &table[address >> shift & 511];

		if (!*pte) {
			void *page = make ? page_new() : NULL;

			if (!page)
				return NULL;
			*pte = pte_of(page, PTE_V);
		}
		table = page_of(*pte);
	}
	return &table[address >> 12 & 511];
}

void mm_init(void)
{
	uint64_t kernel = (uintptr_t)kernel_end / GIGA;

	next_page = (uintptr_t)kernel_end;
	if (machine.memory_end > (kernel + 1) * GIGA)
		machine.memory_end = (kernel + 1) * GIGA;
	root[kernel] = pte_of((void *)(kernel * GIGA), PTE_V | PTE_ACCESS | PTE_GLOBAL | PTE_AD);
	root[DEVICES / GIGA % 512] = pte_of(NULL, PTE_V | READ | PTE_GLOBAL | PTE_AD);
}

/* Returns where the kernel finds the device at a physical address of the first GiB, with paging and without. */
const volatile void *mm_device(uint64_t physical)
{
	return (const volatile void *)(csr_read(satp) ? DEVICES + physical : physical);
}

/* Turns paging on. Runs on each hart. */
void mm_use(void)
{
	csr_write(satp, SATP_SV39 | (uintptr_t)root >> 12);
	__asm__ volatile("sfence.vma\n\tfence.i" ::: "memory");
}

/* Maps a page of the kernel for the program: at boot, before the program runs. */
void mm_map_kernel(uint64_t address, const void *page, unsigned access)
{
	uint64_t *pte = entry(address, 1);

	if (!pte)
		panic("cannot map %lx\n", address);
	*pte = pte_of(page, PTE_V | access | PTE_USER | PTE_AD | PTE_MAPPED | PTE_KERNELS);
}

/* Returns the entry with another access. V is set if the entry has a page that may be used. */
static uint64_t with_access(uint64_t pte, unsigned access)
{
	pte = (pte & ~(PTE_ACCESS | PTE_V)) | access | PTE_USER | PTE_AD | PTE_MAPPED;
	return page_of(pte) && access ? pte | PTE_V : pte;
}

/*
 * Makes all harts forget old entries. Harts in user mode are interrupted. The others forget on their way there: the kernel
 * itself never uses an address of the program. A hart first says that it is in user mode and then looks for a change; here the
 * order is the other way round, so at least one of the two sees the other.
 */
static void forget(uint64_t start, uint64_t size)
{
	uint64_t mask = 0;

	__atomic_fetch_add(&map_changes, 1, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < machine.harts; i++)
		if (__atomic_load_n(&harts[i].in_user, __ATOMIC_SEQ_CST))
			mask |= 1ul << harts[i].id;
	if (mask)
		sbi_fence_vma(mask, start, size);
}

void mm_enter_user(void)
{
	struct hart *hart = this_hart();
	uint64_t changes;

	__atomic_store_n(&hart->in_user, 1, __ATOMIC_SEQ_CST);
	changes = __atomic_load_n(&map_changes, __ATOMIC_SEQ_CST);
	if (hart->map_seen != changes)
		__asm__ volatile("sfence.vma" ::: "memory");
	hart->map_seen = changes;
}

static void unmap(uint64_t start, uint64_t end)
{
	uint64_t known = 0; /* some hart may remember it */

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
		if (pass == 0 && known) /* a page may be used anew only when no hart remembers it */
			forget(start, end - start);
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
long mm_map(uint64_t address, uint64_t size, unsigned access)
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

long mm_protect(uint64_t address, uint64_t size, unsigned access)
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
	if (known)
		forget(address, size);
	unlock(&mm_lock);
	if (access & EXEC)
		sbi_fence_i();
	return result;
}

/* Makes the page of `address` usable as `access` says, and returns where the kernel sees it; NULL if the program may not. */
static void *touch(uint64_t address, unsigned access)
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
int mm_fault(uint64_t address, unsigned access)
{
	uint64_t *pte;
	int code;

	lock(&mm_lock);
	pte = entry(address, 0);
	code = touch(address, access) ? 0 : pte && *pte ? 2 /* SEGV_ACCERR */ : 1 /* SEGV_MAPERR */;
	unlock(&mm_lock);
	__asm__ volatile("sfence.vma %0" ::"r"(address) : "memory"); /* also if another hart was faster: forget the old entry */
	return code;
}

/* Copies by the kernel's own map, after it has checked that the program may: no fault, and no SUM. */
static int copy(uint64_t user, uint8_t *kernel, size_t size, unsigned access, int out)
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
