/* SPDX-License-Identifier: MIT */
/* A signal's frame as Linux has it (arch/x86/include/asm/sigframe.h and uapi/asm/sigcontext.h), which C libraries know. */
#ifndef FRAME_H
#define FRAME_H

#define RED_ZONE 128  /* System V ABI, AMD64 supplement, 3.2.2 */
#define RETURN_SLOT 8 /* `ret` takes the address from the frame */

#define SA_RESTORER 0x04000000ul
#define UC_SIGCONTEXT_SS 2 /* the frame has the segment of the stack */
#define UC_STRICT_RESTORE_SS 4
#define FLAGS_TF 0x100ul
#define FLAGS_DF 0x400ul
#define FLAGS_RF 0x10000ul
#define FLAGS_PROGRAMS 0x50dd5ul /* all that a program may set: AC, RF, OF, DF, TF, SF, ZF, AF, PF, CF */
#define MXCSR_BITS 0xffffu	 /* others make fxrstor fault */

struct action {
	uint64_t handler, flags, restorer, mask;
};

/* Returns the address that a handler returns to. */
static inline uint64_t action_return(const struct action *action)
{
	return action->flags & SA_RESTORER ? action->restorer : sigreturn_address;
}

struct frame {
	uint64_t returns;
	uint64_t flags, link;
	struct stack stack;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, rflags;
	uint16_t cs, gs, fs, ss;
	uint64_t error, vector, old_mask, fault_address, fp_address, unused[8];
	uint64_t mask;
	struct info info;
	uint8_t fp[sizeof(struct fp)]; /* 16 bytes aligned in the program, where the frame is 8 off */
};
_Static_assert(offsetof(struct frame, rip) == 8 + 168 && offsetof(struct frame, mask) == 8 + 296, "Linux's struct ucontext");
_Static_assert(offsetof(struct frame, info) == 312 && (RETURN_SLOT + offsetof(struct frame, fp)) % 16 == 0, "Linux's rt_sigframe");

/* Where the program's registers are in a thread's record, and in a frame. */
#define FRAME_REGISTERS(each) \
	each(A4, r8) each(A5, r9) each(A3, r10) each(R11, r11) each(R12, r12) each(R13, r13) each(R14, r14) each(R15, r15) \
	each(A0, rdi) each(A1, rsi) each(RBP, rbp) each(RBX, rbx) each(A2, rdx) each(NUMBER, rax) each(RCX, rcx) \
	each(SP, rsp) each(PC, rip) each(FLAGS, rflags)

static inline void frame_fill(struct frame *frame, struct thread *thread, uint64_t at, uint64_t returns)
{
#define FILL(number, field) frame->field = thread->regs[number];
	FRAME_REGISTERS(FILL)
#undef FILL
	frame->returns = returns;
	frame->flags = UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	frame->cs = USER_CODE;
	frame->ss = USER_DATA;
	frame->error = thread->regs[ERROR];
	frame->vector = thread->regs[VECTOR];
	frame->fault_address = frame->info.address;
	frame->fp_address = at + offsetof(struct frame, fp);
	memcpy(frame->fp, &thread->fp, sizeof(frame->fp));
	thread->regs[FLAGS] &= ~(FLAGS_TF | FLAGS_DF | FLAGS_RF);
	thread->regs[RESULT] = 0; /* a handler may be declared without its arguments */
}

static inline void frame_take(const struct frame *frame, struct thread *thread)
{
#define TAKE(number, field) thread->regs[number] = frame->field;
	FRAME_REGISTERS(TAKE)
#undef TAKE
	thread->regs[FLAGS] &= FLAGS_PROGRAMS;
	thread->regs[VECTOR] = 0; /* so that all registers are loaded */
	memcpy(&thread->fp, frame->fp, sizeof(frame->fp));
	thread->fp.mxcsr &= MXCSR_BITS;
}

#endif
