/* SPDX-License-Identifier: MIT */
/* What may a process do with the pages of the vDSO, and what not? */
#include "faults.h"
#include "image.h"
#include "kernel.h"
#include "machine.h"
#include "mark.h"
#include "tests.h"

/* A byte of a page of the image; in the first page, ELF headers have padding there. Its old value is written. */
#define ANY_BYTE 15

/* A row of the data page that is always zero: to write it harms nobody, and to execute it is illegal on most CPUs. */
#define UNUSED_ROW 128

static void load(uint64_t address)
{
	(void)*(volatile const char *)address;
}

static void store(uint64_t address)
{
	volatile char *byte = (volatile char *)address;

	*byte = *byte;
}

/* Where zeros are an instruction that stores, to run them changes the second byte. What a child process changes is not seen. */
static volatile uint8_t written[256] __attribute__((aligned(256)));

static void execute(uint64_t address)
{
	machine_execute(address, written);
}

/* Faults if mprotect refuses, since the job may run in another process, which can't report the answer. */
static void allow_and_store(uint64_t address)
{
	if (kernel_mprotect(address & -(uint64_t)PAGE, PAGE, PROT_READ | PROT_WRITE) != 0)
		machine_illegal(0);
	store(address);
}

/* Comes back if the code at `address` is that of rt_sigreturn. */
static void is_sigreturn(uint64_t address)
{
	const volatile uint16_t *code = (const volatile uint16_t *)address;
	uint64_t expected = MACHINE_SIGRETURN_CODE;

	for (; expected; expected >>= 16)
		if (*code++ != (uint16_t)expected)
			machine_illegal(0);
}

/* Returns the verdict on a job that must fault; `consequence` is the reason if it does not. */
static enum verdict must_fault(job *what, uint64_t address, const char *consequence)
{
	long fault = fault_of(what, address);

	if (fault == NOT_TRIED)
		return fault_untried();
	return fault == CAME_BACK ? not_ok("it can, at %lx: %s", address, consequence) : OK;
}

int image_writable, data_writable;

enum verdict test_image_write(void)
{
	enum verdict verdict = OK;
	uint64_t page;

	for (page = 0; page < image.size && verdict == OK; page += PAGE)
		verdict = must_fault(store, image.address + page + ANY_BYTE,
				     "map the image R-X for the user, without W.\n"
				     "A process could run its code in every other that shares the image");
	image_writable = verdict == NOT_OK;
	return verdict;
}

/* Returns why there is no data page to try; NULL: there is one. */
static const char *no_data_page(void)
{
	if (!image.layout)
		return "only images of scons-vdso tell where it is";
	if (image.layout != MARK_LAYOUT)
		return "the image is of another release than this program";
	return image.data_offset ? 0 : "the image was made with DATA_PAGE=none";
}

enum verdict test_data_read(void)
{
	static const char cannot[] = "the data page can't be read";
	long fault;

	lacking[DATA] = no_data_page();
	if (lacking[DATA])
		return skip("%s", lacking[DATA]);
	fault = fault_risked(cannot, load, image_data());
	if (fault == CAME_BACK)
		return OK;
	lacking[DATA] = lacking[CALLS] = cannot;
	return not_ok("reading at %lx %s %ld: map the data page R-- for the user, VDSO_DATA_OFFSET from\n"
		      "where the image is, in every process that gets the image",
		      image_data(), fault_verb(fault), fault_number(fault));
}

enum verdict test_data_write(void)
{
	enum verdict verdict = must_fault(store, image_data() + UNUSED_ROW,
					  "map the data page R-- for the user, without W.\n"
					  "A process could set the clock of every other");

	data_writable = verdict == NOT_OK;
	return verdict;
}

enum verdict test_data_execute(void)
{
	uint64_t word = *(volatile const uint64_t *)(image_data() + UNUSED_ROW);
	long fault;

	if (word)
		return skip("what lies there is no data page: %lx, not 0", word);
	fault = fault_of(execute, image_data() + UNUSED_ROW);
	if (fault == NOT_TRIED)
		return fault_untried();
	if (written[1])
		return not_ok("it can, at %lx (zeros there changed a byte to %ld): map the data page R-- for the user, without X",
			      image_data(), (long)written[1]);
	if (fault != SIGILL && !faults_differ())
		return skip("an illegal instruction raises no SIGILL");
	if (fault == SIGSEGV || fault == SIGBUS)
		return OK;
	return not_ok("it can, at %lx (it %s %ld, not SIGSEGV): map the data page R-- for the user, without X",
		      image_data(), fault_verb(fault), fault_number(fault));
}

enum verdict test_data_mprotect(void)
{
	enum verdict verdict = must_fault(allow_and_store, image_data() + UNUSED_ROW,
					  "let mprotect() refuse this page, as Linux does with EACCES");

	if (verdict == NOT_OK)
		kernel_mprotect(image_data(), PAGE, PROT_READ);
	return verdict;
}

#define RT_SIGRETURN VDSO_EXPORT_PREFIX "rt_sigreturn"
#define RETURN_THERE "\nlet it return " MACHINE_RETURN

enum verdict test_handler(void)
{
	uint64_t address = handler.returns_to;

	if (handler.fault == NOT_TRIED)
		return handler_untried();
	if (handler.fault != CAME_BACK)
		return not_ok("a signal handler is called and can't return, it %s %ld:" RETURN_THERE,
			      fault_verb(handler.fault), fault_number(handler.fault));
	if (handler.after != handler.mask)
		return not_ok("after its return the signal mask is %lx, before the signal it was %lx: rt_sigreturn restores it\n"
			      "from uc_sigmask of the frame. A fault whose signal is blocked may never end",
			      handler.after, handler.mask);
	if (address == image_export(RT_SIGRETURN) || address == MACHINE_RESTORER)
		return OK;
	if (!MACHINE_SIGRETURN_CODE || fault_of(is_sigreturn, address) != CAME_BACK)
		return not_ok("a signal handler returns to %lx, which unwinders (pthread_cancel) don't know:" RETURN_THERE,
			      address);
	tap_note("signal handlers return to %lx, not to " RT_SIGRETURN, address);
	return OK;
}
