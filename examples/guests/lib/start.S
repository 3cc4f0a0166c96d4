# Start of a program in C: data page, segments, all 32 interrupt lines, then guest_main().

	.include "lib/guest.inc"

	.code32
	.section .text.start, "ax"
	.globl _start
_start:
	begin guest_data, guest_stack_top
	.set line, 0
	.rept 32
	handle line, "guest_line_stubs + 16 * line"
	.set line, line + 1
	.endr
	enable_interrupts guest_data
	call guest_main
sleep:
	hypercall HALT
	jmp sleep

	.text
	.balign 16
guest_line_stubs:
	.set line, 0
	.rept 32
	.balign 16
	pusha
	push $line
	jmp enter
	.set line, line + 1
	.endr

enter:
	cld
	call guest_interrupt
	add $4, %esp
	popa
	jmp guest_end_of_interrupt

	guest_tables guest_data
