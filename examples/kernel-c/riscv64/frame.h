/* SPDX-License-Identifier: MIT */
/* A signal's frame as Linux has it (arch/riscv/include/uapi/asm/ucontext.h and sigcontext.h), which C libraries know. */
#ifndef FRAME_H
#define FRAME_H

#define RED_ZONE 0
#define RETURN_SLOT 0

struct action {
	uint64_t handler, flags, mask;
};

/* Returns the address that a handler returns to. */
static inline uint64_t action_return(const struct action *action)
{
	(void)action;
	return sigreturn_address;
}

struct frame {
	struct info info;
	uint64_t flags, link;
	struct stack stack;
	uint64_t mask;
	uint8_t unused[128];
	uint64_t regs[32];
	struct fp fp; /* of a union that is 528 bytes long */
	uint8_t fp_rest[528 - sizeof(struct fp)];
};
_Static_assert(offsetof(struct frame, regs) == 128 + 176, "Linux's rt_sigframe");

static inline void frame_fill(struct frame *frame, struct thread *thread, uint64_t at, uint64_t returns)
{
	(void)at;
	memcpy(frame->regs, thread->regs, sizeof(frame->regs));
	frame->fp = thread->fp;
	thread->regs[RA] = returns;
}

static inline void frame_take(const struct frame *frame, struct thread *thread)
{
	memcpy(thread->regs, frame->regs, sizeof(frame->regs));
	thread->fp = frame->fp;
}

#endif
