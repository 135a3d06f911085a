/* SPDX-License-Identifier: MIT */
/* A signal's frame as Linux has it (arch/loongarch/include/uapi/asm/ucontext.h and sigcontext.h), which C libraries know. */
#ifndef FRAME_H
#define FRAME_H

#define RED_ZONE 0
#define RETURN_SLOT 0

#define LSX_MAGIC 0x53580001u
#define SC_USED_FP 1

/* The header of a part of the frame; one without a magic number and a size is the last. */
struct frame_part {
	uint32_t magic, size;
	uint64_t unused;
};

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
	uint64_t pc, regs[32];
	uint32_t used, pad;
	struct frame_part vectors;
	struct fp fp; /* Linux's struct lsx_context */
	struct frame_part end;
};
_Static_assert(offsetof(struct frame, pc) == 128 + 176 && offsetof(struct frame, vectors) % 16 == 0, "Linux's rt_sigframe");
_Static_assert(offsetof(struct fp, fcc) == 512 && offsetof(struct fp, fcsr) == 520, "Linux's struct lsx_context");

static inline void frame_fill(struct frame *frame, struct thread *thread, uint64_t at, uint64_t returns)
{
	(void)at;
	memcpy(&frame->pc, thread->regs, sizeof(frame->pc));
	memcpy(&frame->regs[1], &thread->regs[1], sizeof(thread->regs) - sizeof(frame->pc));
	frame->fp = thread->fp;
	frame->used = SC_USED_FP;
	frame->vectors = (struct frame_part){LSX_MAGIC, offsetof(struct frame, end) - offsetof(struct frame, vectors), 0};
	thread->regs[RA] = returns;
}

static inline void frame_take(const struct frame *frame, struct thread *thread)
{
	memcpy(thread->regs, &frame->pc, sizeof(frame->pc));
	memcpy(&thread->regs[1], &frame->regs[1], sizeof(thread->regs) - sizeof(frame->pc));
	thread->fp = frame->fp;
}

#endif
