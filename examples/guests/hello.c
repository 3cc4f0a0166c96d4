/* hello.S in C: the same notifies for the same interrupts. */
#include "lib/guest.h"

static volatile guest_u32 count;

static void notify_with_generation(guest_u32 address)
{
	guest_call(GUEST_NOTIFY, address, guest_data.generation);
}

void guest_main(void)
{
	notify_with_generation(0x600d);
}

void guest_interrupt(guest_u32 line)
{
	if (line == 1)
		notify_with_generation(++count);
}
