/*
 * Reads the page in which a Linux guest finds its identity (docs/guests.md#identity).
 *
 *   innkeeper-page            writes generation=, epoch= and unique= as a shell reads them
 *   innkeeper-page reseed     mixes unique into the kernel's random numbers, at once
 *
 * It is for 32-bit x86 and needs no C library:
 *   cc -m32 -static -nostdlib -ffreestanding -fno-pic -fno-stack-protector -Os \
 *     -o innkeeper-page innkeeper-page.c
 */
enum { EXIT = 1, READ = 3, WRITE = 4, OPEN = 5, LSEEK = 19, IOCTL = 54 };
enum { O_RDONLY = 0, O_WRONLY = 1 };

#define PAGE_AT 0x9f000
#define PAGE_BYTES 40
/* linux/random.h */
#define RNDADDENTROPY 0x40085203
#define RNDRESEEDCRNG 0x5207

/* The number goes in eax, the arguments in ebx, ecx, edx (Linux, arch/x86/entry). */
static long call(long number, long a, long b, long c)
{
	long result;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
	return result;
}

static void stop(int status)
{
	for (;;)
		call(EXIT, status, 0, 0);
}

static void fail(const char *why)
{
	int length = 0;
	while (why[length])
		length++;
	call(WRITE, 2, (long)why, length);
	stop(1);
}

static char out[128];
static int used;

static void put(const char *text)
{
	while (*text)
		out[used++] = *text++;
}

/* Little-endian bytes as a decimal number: there is no 64-bit division without a library. */
static void put_number(const unsigned char *from, int bytes)
{
	unsigned char left[8], digits[20];
	int count = 0, any = 1;
	for (int i = 0; i < bytes; i++)
		left[i] = from[i];
	while (any) {
		unsigned int rest = 0;
		any = 0;
		for (int i = bytes - 1; i >= 0; i--) {
			rest = rest << 8 | left[i];
			left[i] = rest / 10;
			rest %= 10;
			any |= left[i];
		}
		digits[count++] = '0' + rest;
	}
	while (count > 0)
		out[used++] = digits[--count];
}

static void put_hex(const unsigned char *from, int bytes)
{
	for (int i = 0; i < bytes; i++) {
		out[used++] = "0123456789abcdef"[from[i] >> 4];
		out[used++] = "0123456789abcdef"[from[i] & 15];
	}
}

static void reseed(const unsigned char *unique)
{
	struct {
		int bits;
		int bytes;
		unsigned char secret[16];
	} entropy = { 128, 16, { 0 } };
	for (int i = 0; i < 16; i++)
		entropy.secret[i] = unique[i];
	long random = call(OPEN, (long)"/dev/urandom", O_WRONLY, 0);
	if (random < 0)
		fail("innkeeper-page: cannot open /dev/urandom\n");
	if (call(IOCTL, random, RNDADDENTROPY, (long)&entropy) < 0)
		fail("innkeeper-page: the kernel takes no entropy: run it as root\n");
	if (call(IOCTL, random, RNDRESEEDCRNG, 0) < 0)
		fail("innkeeper-page: the kernel does not reseed\n");
}

__attribute__((used)) static void run(long *stack)
{
	static const char magic[] = "INNKEEP1";
	unsigned char page[PAGE_BYTES];
	long memory = call(OPEN, (long)"/dev/mem", O_RDONLY, 0);
	if (memory < 0)
		fail("innkeeper-page: cannot open /dev/mem\n");
	if (call(LSEEK, memory, PAGE_AT, 0) < 0 ||
	    call(READ, memory, (long)page, PAGE_BYTES) != PAGE_BYTES)
		fail("innkeeper-page: cannot read the page\n");
	for (int i = 0; i < 8; i++)
		if (page[i] != (unsigned char)magic[i])
			fail("innkeeper-page: this is no guest of Innkeeper\n");
	/* The stack begins with the number of arguments and their addresses. */
	if (stack[0] > 1) {
		reseed(page + 24);
		stop(0);
	}
	put("generation=");
	put_number(page + 8, 4);
	put("\nepoch=");
	put_number(page + 16, 8);
	put("\nunique=");
	put_hex(page + 24, 16);
	put("\n");
	call(WRITE, 1, (long)out, used);
	stop(0);
}

__asm__(".globl _start\n_start: mov %esp, %eax\n and $-16, %esp\n push %eax\n push %eax\n call run\n");
