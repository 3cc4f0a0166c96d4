# A guest that lives by its clock: it sleeps, is woken by the clock event, counts, and sets the
# next one. Interrupts of line 1 are counted beside it.
#
# Notifies  0x600d when ready, 0x71c at every tick
# 0x3000    nanoseconds between ticks, read at every tick; 0 stops the clock until line 1 comes
# 0x3004    ticks so far; 0x3008 interrupts of line 1 so far
# 0x300c    seconds of the time stamp at the last tick (64 bits)
# 0x2000    the data page; 0x5000 the top of the stack
#
# Load clock.bin at 0x1000 into 6 pages or more, write the period, and start at 0x1000.

	.include "lib/guest.inc"

	.set DATA, 0x2000
	.set PERIOD_NS, 0x3000
	.set TICKS, 0x3004
	.set INTERRUPTS, 0x3008
	.set SECONDS, 0x300c
	.set STACK_TOP, 0x5000
	.set READY, 0x600d
	.set TICK, 0x71c

	.code32
	.text
	.globl _start
_start:
	begin DATA, STACK_TOP
	handle 0, on_tick
	handle 1, on_interrupt
	hypercall1 SET_CLOCKEVENT, PERIOD_NS
	enable_interrupts DATA
	hypercall1 NOTIFY, $READY

sleep:
	hypercall HALT
	jmp sleep

on_tick:
	pusha
	incl TICKS
	mov DATA + TIME_SECONDS, %eax
	mov %eax, SECONDS
	mov DATA + TIME_SECONDS + 4, %eax
	mov %eax, SECONDS + 4
	hypercall1 SET_CLOCKEVENT, PERIOD_NS
	hypercall1 NOTIFY, $TICK
	popa
	jmp guest_end_of_interrupt

on_interrupt:
	pusha
	incl INTERRUPTS
	hypercall1 SET_CLOCKEVENT, PERIOD_NS
	popa
	jmp guest_end_of_interrupt

	guest_tables DATA
