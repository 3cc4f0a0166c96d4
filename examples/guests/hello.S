# The smallest guest that shows the whole ABI: it says that it is ready, sleeps, and on every
# interrupt of line 1 counts it in memory and notifies the count.
#
# Notifies  0x600d when ready, then the count (1, 2, ...)
# ecx       at every notify: the generation that its data page shows at that moment
# 0x2000    the data page; 0x3000 the count; 0x5000 the top of the stack
#
# Load hello.bin at 0x1000 into 6 pages or more and start at 0x1000. README.md tells how it is
# assembled.

	.include "lib/guest.inc"

	.set DATA, 0x2000
	.set COUNT, 0x3000
	.set STACK_TOP, 0x5000
	.set READY, 0x600d

	.code32
	.text
	.globl _start
_start:
	begin DATA, STACK_TOP
	handle 1, on_interrupt
	enable_interrupts DATA
	mov DATA + GENERATION, %ecx
	hypercall1 NOTIFY, $READY

sleep:
	hypercall HALT
	jmp sleep

on_interrupt:
	push %eax
	push %ebx
	incl COUNT
	mov DATA + GENERATION, %ecx
	hypercall1 NOTIFY, COUNT
	pop %ebx
	pop %eax
	jmp guest_end_of_interrupt

	guest_tables DATA
