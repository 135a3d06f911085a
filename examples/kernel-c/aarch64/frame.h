/* SPDX-License-Identifier: MIT */
/* A signal's frame as Linux has it (arch/arm64/include/uapi/asm/ucontext.h and sigcontext.h), which C libraries know. */
#ifndef FRAME_H
#define FRAME_H

#define RED_ZONE 0
#define RETURN_SLOT 0

#define SA_RESTORER 0x04000000ul
#define FPSIMD_MAGIC 0x46508001u
#define PSTATE_FLAGS 0xf0000000ul /* all that a program may set */

struct action {
	uint64_t handler, flags, restorer, mask;
};

/* Returns the address that a handler returns to. */
static inline uint64_t action_return(const struct action *action)
{
	return action->flags & SA_RESTORER ? action->restorer : sigreturn_address;
}

struct frame {
	struct info info;
	uint64_t flags, link;
	struct stack stack;
	uint64_t mask;
	uint8_t unused[120];
	uint64_t fault_address __attribute__((aligned(16)));
	uint64_t regs[PSTATE + 1]; /* x0 to pstate */
	struct {
		uint32_t magic, size, fpsr, fpcr;
		uint64_t regs[64];
	} fp __attribute__((aligned(16)));
	uint8_t rest[4096 - 528]; /* it begins with a part without a magic number and a size, which is the last */
};
_Static_assert(offsetof(struct frame, regs) == 128 + 184 && offsetof(struct frame, fp) == 128 + 464, "Linux's rt_sigframe");
_Static_assert(offsetof(struct frame, rest) == offsetof(struct frame, fp) + 528, "Linux's struct fpsimd_context");

static inline void frame_fill(struct frame *frame, struct thread *thread, uint64_t at, uint64_t returns)
{
	(void)at;
	frame->fault_address = frame->info.address;
	memcpy(frame->regs, thread->regs, sizeof(frame->regs));
	frame->fp.magic = FPSIMD_MAGIC;
	frame->fp.size = sizeof(frame->fp);
	frame->fp.fpsr = (uint32_t)thread->fp.fpsr;
	frame->fp.fpcr = (uint32_t)thread->fp.fpcr;
	memcpy(frame->fp.regs, thread->fp.regs, sizeof(frame->fp.regs));
	thread->regs[RA] = returns;
}

static inline void frame_take(const struct frame *frame, struct thread *thread)
{
	memcpy(thread->regs, frame->regs, sizeof(frame->regs));
	thread->regs[PSTATE] &= PSTATE_FLAGS;
	thread->fp.fpsr = frame->fp.fpsr;
	thread->fp.fpcr = frame->fp.fpcr;
	memcpy(thread->fp.regs, frame->fp.regs, sizeof(frame->fp.regs));
}

#endif
