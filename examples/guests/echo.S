# A device's other end: it is handed a message in memory with an interrupt, and hands it back with
# a notify. A host that attaches to ECHOED gets its answers without a run coming to an end.
#
# Notifies  0x600d when ready, 0xec40 when a message is handed back
# 0x3000    the message to hand in: its length in bytes (32 bits), then up to 4092 bytes
# 0x4000    the message handed back, in the same form
# line 1    a message is there
# 0x2000    the data page; 0x6000 the top of the stack
#
# Load echo.bin at 0x1000 into 6 pages or more and start at 0x1000.

	.include "lib/guest.inc"

	.set DATA, 0x2000
	.set INBOX, 0x3000
	.set OUTBOX, 0x4000
	.set MESSAGE_MAX, 4092
	.set STACK_TOP, 0x6000
	.set READY, 0x600d
	.set ECHOED, 0xec40

	.code32
	.text
	.globl _start
_start:
	begin DATA, STACK_TOP
	handle 1, on_message
	enable_interrupts DATA
	hypercall1 NOTIFY, $READY

sleep:
	hypercall HALT
	jmp sleep

on_message:
	pusha
	mov INBOX, %ecx
	cmp $MESSAGE_MAX, %ecx
	jbe copy
	mov $MESSAGE_MAX, %ecx
copy:
	mov %ecx, OUTBOX
	mov $INBOX + 4, %esi
	mov $OUTBOX + 4, %edi
	cld
	rep movsb
	hypercall1 NOTIFY, $ECHOED
	popa
	jmp guest_end_of_interrupt

	guest_tables DATA
