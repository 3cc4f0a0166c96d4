# The smallest guest that shows the whole ABI: it says that it is ready, sleeps, and on every
# interrupt of line 1 counts it in memory and notifies the count.
#
# Notifies  0x600d when ready, then the count (1, 2, ...)
# ecx       at every notify: the generation that its data page shows at that moment
# 0x2000    the data page; 0x3000 the count; 0x5000 the top of the stack
#
# Load hello.bin at 0x1000 into 6 pages or more and start at 0x1000. README.md tells how it is
# assembled.

	.set LGUEST_INIT, 1
	.set LOAD_IDT_ENTRY, 6
	.set HALT, 10
	.set NOTIFY, 17

	.set DATA, 0x2000
	.set COUNT, 0x3000
	.set STACK_TOP, 0x5000
	.set READY, 0x600d
	.set IF, 0x200
	.set VECTOR, 32 + 1
	.set GATE_E_PRESENT, 0x8e00

	.macro hypercall number
	mov $\number, %eax
	out %eax, $0x1f
	.endm

	.code32
	.text
	.globl _start
_start:
	mov $STACK_TOP, %esp
	lgdt gdt_register		# iret loads the code segment from it

	movl $noirq_start, DATA + 12
	movl $noirq_end, DATA + 16
	mov $DATA, %ebx
	hypercall LGUEST_INIT

	mov $VECTOR, %ebx
	mov $on_interrupt, %ecx
	mov %ecx, %edx
	and $0xffff, %ecx
	and $0xffff0000, %edx
	or $GATE_E_PRESENT, %edx
	hypercall LOAD_IDT_ENTRY

	movl $IF, DATA			# irqEnabled
	mov $READY, %ebx
	mov DATA + 36, %ecx		# generation
	hypercall NOTIFY

sleep:
	hypercall HALT
	jmp sleep

on_interrupt:
	push %eax
	push %ebx
	incl COUNT
	mov COUNT, %ebx
	mov DATA + 36, %ecx		# generation
	hypercall NOTIFY
	pop %ebx
	pop %eax
noirq_start:
	movl $IF, DATA			# irqEnabled; nothing is delivered until iret is done
	iret
noirq_end:

	.balign 8
gdt:
	.quad 0
	.quad 0x00cf9b000000ffff	# 0x08 flat code
	.quad 0x00cf93000000ffff	# 0x10 flat data
gdt_register:
	.word gdt_register - gdt - 1
	.long gdt
