/*
 * The guest ABI for programs in C. Link with start.S and guest.ld; README.md tells how. A program
 * has a function guest_main() and one guest_interrupt() that every interrupt line comes to.
 */
#ifndef GUEST_H
#define GUEST_H

typedef unsigned char guest_u8;
typedef unsigned int guest_u32;
typedef unsigned long long guest_u64;

enum guest_hypercall {
	GUEST_FLUSH_ASYNC = 0,
	GUEST_SHUTDOWN = 2,
	GUEST_SET_CLOCKEVENT = 9,
	GUEST_HALT = 10,
	GUEST_NOTIFY = 17,
	GUEST_SEND_INTERRUPTS = 19,
};

/* What SHUTDOWN does then. */
enum guest_shutdown { GUEST_OFF = 1, GUEST_RESTART = 2 };

/* The page that guest and host share; src/engines/lguest/data_page.ts describes it. */
struct guest_data {
	guest_u32 irq_enabled;
	guest_u32 irq_pending;
	guest_u32 blocked_interrupts;
	guest_u32 noirq_start;
	guest_u32 noirq_end;
	guest_u32 async_ring;
	guest_u64 seconds;
	guest_u32 nanoseconds;
	guest_u32 generation;
	guest_u64 epoch;
	guest_u8 unique[16];
};

extern volatile struct guest_data guest_data;

/* The program. When it returns the guest sleeps for ever between interrupts. */
void guest_main(void);
/* An interrupt of this line, 0 to 31; others wait until it returns. */
void guest_interrupt(guest_u32 line);

static inline void guest_call(enum guest_hypercall number, guest_u32 first, guest_u32 second)
{
	guest_u32 eax = number;
	__asm__ volatile("outl %0, $0x1f" : "+a"(eax) : "b"(first), "c"(second), "d"(0) : "memory");
}

/* Ends the run with this value, or counts for whoever is attached to it. */
static inline void guest_notify(guest_u32 address)
{
	guest_call(GUEST_NOTIFY, address, 0);
}

/* Raises line 0 after this many nanoseconds; 0 cancels. */
static inline void guest_set_clock(guest_u32 nanoseconds)
{
	guest_call(GUEST_SET_CLOCKEVENT, nanoseconds, 0);
}

/* Sleeps until a line is raised. */
static inline void guest_halt(void)
{
	guest_call(GUEST_HALT, 0, 0);
}

/* Ends the guest; of the message, 127 bytes are kept. */
static inline void guest_shutdown(const char *message, enum guest_shutdown how)
{
	guest_call(GUEST_SHUTDOWN, (guest_u32)message, how);
}

#endif
