/**
 * Every bound of the system, each with its reason. A request that exceeds a bound is refused with a
 * clear fault; nothing is cut off or dropped in silence.
 *
 * @module
 */

const KIB = 1024;
export const MIB = 1024 * KIB;

/** Largest unsigned 32-bit value: generations, register values. */
export const U32_MAX = 0xffff_ffff;
/** Largest unsigned 64-bit value: device and inode numbers, offsets, epochs. */
export const U64_MAX = (1n << 64n) - 1n;
/** Page size of the sysgenid page, the inode cache and guest memory, in bytes. */
export const PAGE_BYTES = 4096;

// calls to the host

/**
 * errno is lost across FFI threads, so a failed call is repeated on the event loop to read it. Only
 * calls that failed within this time are repeated; a slower one could block the loop on storage.
 */
export const SLOW_FAILURE_MS = 100;
/** Slow failures until a call is given up: a cold cache causes one, a busy machine another. */
export const SLOW_FAILURES_MAX = 3;
/** Longest stretch of nonblocking work before the event loop runs: others wait no longer. */
export const READY_SLICE_MS = 2;
/** How long a source that was just ready is looked at again before a thread waits for it (34 µs). */
export const READY_LINGER_MS = 0.1;

// file descriptors and connections

/** Descriptors that are opened after the count of open ones: listeners, signals, code caches. */
export const DESCRIPTORS_OWN = 8;
/** Descriptors in reserve, as a divisor of the limit: files and folders that are open for a moment. */
export const DESCRIPTORS_RESERVED_DIVISOR = 8;
/** Smallest reserve: a page, a spool, a snapshot and the storage threads at one moment. */
export const DESCRIPTORS_RESERVED_MIN = 12;
/** Largest reserve: a few for each thread that opens files. */
export const DESCRIPTORS_RESERVED_MAX = 256;
/** Fewer for clients than this are refused at start: strangers, a caller, and one inode. */
export const DESCRIPTORS_SHARED_MIN = 12;
/** Descriptors of an open inode: its file, its cache file and its journal. */
export const DESCRIPTORS_PER_INODE = 3;
/** Descriptors of a guest: those of its Worker's event loop. */
export const DESCRIPTORS_PER_GUEST = 8;
/** Connections whose callers are unknown, at least: a probe of health and some who just came. */
export const STRANGERS_MIN = 6;
/** Connections whose callers are unknown, at most: whoever comes next ends the oldest. */
export const STRANGERS_MAX = 1_000;
/** How long a connection may take for its first request, or a stranger for the next one. */
export const STRANGER_WAIT_MS = 10_000;
/** How long the answer to a stranger may take, such as the bundle of /docs over a slow line. */
export const STRANGER_ANSWER_MS = 30_000;
/** How long a connection of a known caller stays open without a request: as with common servers. */
export const CONNECTION_IDLE_MS = 75_000;
/** Interval between looks for connections whose time is up. */
export const ADMISSION_SWEEP_MS = 500;
/** The head of a connection's first request: a token, a ticket and the headers of a browser. */
export const REQUEST_HEAD_BYTES_MAX = 16 * KIB;
/** Longest interval between looks for heads that are not whole: a slow client waits as long. */
export const HEAD_LOOK_MS_MAX = 20;
/** Connections that wait with the kernel: as many as Linux lets wait, which drops what is past it. */
export const ACCEPT_BACKLOG_MAX = 4096;
/** Pause after a failed accept: what caused it may be over, and the loop is free meanwhile. */
export const ACCEPT_RETRY_MS = 20;

// the log

/** Log lines that wait for whoever reads standard error: some thousands. More are dropped. */
export const LOG_WAITING_BYTES_MAX = 1 * MIB;
/** Lines of one kind that are written before the others are only counted. */
export const LOG_REPEATS_MAX = 20;
/** How long lines of one kind are counted before their sum is written. */
export const LOG_SUM_MS = 10_000;
/** How long a stop waits for the log to be read. */
export const LOG_FLUSH_MS = 1_000;

// requests

/** Names of scopes, holders, guests, roots: fits a file name and a metric label. */
export const NAME_CHARS_MAX = 64;

/** Characters of an owner's token inside a frame; ours have 64. */
export const OWNER_TOKEN_CHARS_MAX = 256;
/** A free text, such as the reason of a bump: one or two sentences for an operator. */
export const REASON_CHARS_MAX = 256;
/** A JSON body: the largest legal one is 10,000 mapping keys of about 100 bytes. */
export const JSON_BODY_BYTES_MAX = 2 * MIB;
/** A body of bytes: one request may hold this much memory while it is read. */
export const BYTES_BODY_BYTES_MAX = 64 * MIB;
/** One answer of bytes, which is held in memory; a client gets more with further ranges. */
export const BYTES_REPLY_BYTES_MAX = 64 * MIB;
/** Items of one page of a list: an answer is built in memory. */
export const LIST_ITEMS_MAX = 1000;
/** Items of one page of a list by default: what a person scrolls through. */
export const LIST_ITEMS_DEFAULT = 100;
/** Longest `Prefer: wait`, in seconds: proxies cut an answer off that is silent for 60 s. */
export const PREFER_WAIT_SECONDS_MAX = 55;
/** Names that one query lists: each is a scope that one call waits for or looks at. */
export const LISTED_NAMES_MAX = 100;
/** Time for running requests to end when the daemon stops; service managers kill after 90 s. */
export const DRAIN_MS = 5_000;

/** Sockets made at run time: a descriptor each, and one for each machine of a large host. */
export const LISTENERS_MAX = 1_000;
/** The path of a unix socket: what `struct sockaddr_un` holds, less the NUL. */
export const SOCKET_PATH_BYTES_MAX = 107;
/** Lifetime of a ticket with which a browser opens a WebSocket: it does so at once. */
export const TICKET_MS = 30_000;
/** Tickets that wait to be used: 300 new ones a second for as long as they live. */
export const TICKETS_MAX = 10_000;
/** How long an Idempotency-Key and its answer are remembered: clients stop repeating before. */
export const IDEMPOTENCY_MS = 10 * 60_000;
/** Idempotency-Keys remembered: about 0.5 KiB each, and 160 new ones a second for as long. */
export const IDEMPOTENCY_KEYS_MAX = 100_000;
/** Stored answers, in bytes: enough for the last seconds, and clients that repeat do so soon. */
export const IDEMPOTENCY_BYTES_MAX = 64 * MIB;
/** Forgotten keys of bumps that one bump removes from the ledger: more than it adds, so none stays. */
export const REPLAYS_PURGED_MAX = 4;
/** The size of a stored answer beside its body: mostly its headers. */
export const IDEMPOTENCY_ANSWER_BYTES = 1 * KIB;
/** An Idempotency-Key: a UUID has 36 characters. */
export const IDEMPOTENCY_KEY_CHARS_MAX = 128;

// events

/** Followers of the events at once: each holds an answer open. */
export const EVENT_FOLLOWERS_MAX = 1_000;
/** Events in one answer in JSON: about 500 bytes each. */
export const EVENTS_PAGE_MAX = 1_000;
/** An event stream sends a comment after this much silence, so that proxies leave it open. */
export const EVENT_COMMENT_MS = 15_000;

/** Events of this time go into the ledger together: each commit costs a flush. */
export const EVENT_FLUSH_MS = 20;
/** Events retained for readers that reconnect: about 500 bytes each. */
export const EVENTS_RETAINED_MAX = 10_000;
/** Event numbers reserved in the ledger at a time: one commit serves this many events. */
export const EVENT_SEQ_BLOCK = 1_000_000;

// generations

/** Scopes of one daemon: about 1 KiB each in memory, one page file each. */
export const SCOPES_MAX = 10_000;
/**
 * Deleted scopes whose pages somebody still has, and whose counters are remembered, so that none
 * repeats: about 300 bytes each.
 */
export const TOMBSTONES_MAX = 100_000;
/** Greatest epoch that is believed of a page: a million bumps a second take 285 years to reach it. */
export const EPOCH_BELIEVED_MAX = 1n << 53n;
/** Interval at which each page is compared with what was stored into it: a reader's mistake is short. */
export const PAGE_LOOK_MS = 100;
/** Scopes whose pages are compared in one turn of the event loop: about a millisecond. */
export const PAGES_PER_LOOK = 256;
/** Numbers of others in the pages of one scope that no bump uses: each look may find two. */
export const FOREIGN_VALUES_MAX = 1_000;
/** Pages of deleted scopes are looked at this long after: whoever maps them ends about then. */
export const RECLAIM_MS = 1_000;
/** Interval between looks at pages of deleted scopes that somebody still had. */
export const RECLAIM_RETRY_MS = 30_000;
/** Deleted scopes whose pages are looked at together: two file descriptors each. */
export const RECLAIM_SCOPES = 128;
/** Between hiding a page and removing it: time for an opener that had found its name to show itself. */
export const RECLAIM_GRACE_MS = 20;
/** Watchers of one scope: a barrier names them all, and a bump visits each. */
export const WATCHERS_PER_SCOPE_MAX = 20_000;
/** Names and prefixes that a scope may expect: each is compared with the name of every watcher. */
export const EXPECTED_NAMES_MAX = 64;
/** Names that one barrier answer lists, for people; the count in it is always complete. */
export const BARRIER_NAMES_MAX = 100;
/** Longest barrier wait, also for a `timeoutMs` of 0: nobody waits longer for a sandbox. */
export const BARRIER_MS_MAX = 10 * 60_000;
/** Bumps in the history of a scope: it is in memory, for people who look for a cause. */
export const HISTORY_BUMPS_MAX = 32;
/** A timer later than this means that the daemon stood still; a loaded loop is late by less. */
export const LEASE_LATE_MS_MAX = 1_000;
/** How long a watcher is held before it is lost, by default: time for a restart and a reconnect. */
export const LEASE_MS_DEFAULT = 60_000;
/** Longest lease of a watcher: a night of a paused machine. */
export const LEASE_MS_MAX = 24 * 60 * 60_000;
/** A token that a client of the 4-byte frames has chosen itself: too long to be guessed. */
export const SYSGENID_TOKEN_CHARS_MIN = 16;
/** Quiesces that one connection has not answered: a client that lets so many pass answers none. */
export const QUIESCES_UNANSWERED_MAX = 16;
/** Longest time until a lost watcher is forgotten: a week without a call is no outage any more. */
export const FORGET_LOST_MS_MAX = 7 * 24 * 60 * 60_000;
/** Processes remembered as proven by their credentials; past it each is looked at once more. */
export const PROVEN_PROCESSES_MAX = 20_000;
/** Interval between looks at whether a superseded watcher's process has ended: one file is read. */
export const SUPERSEDED_LOOK_MS = 1_000;
/** How long a quiesce lasts by default: as long as a snapshot may take. */
export const QUIESCE_MS_DEFAULT = 30_000;
/** Longest quiesce: watchers stand still in it. */
export const QUIESCE_MS_MAX = 10 * 60_000;
/** Acknowledgements of this time go into the ledger together, since each commit costs a flush. */
export const ACK_FLUSH_MS = 20;

/** Longest wait for a host's counter in one call. A stop of the daemon waits this long for it. */
export const HOST_SOURCE_WAIT_MS = 250;
/** Interval between looks at a host's counter that gives no notice of changes: a read each. */
export const HOST_SOURCE_LOOK_MS = 100;
/** Interval between tries to read a host's counter that fails: it is not expected back soon. */
export const HOST_SOURCE_RETRY_MS = 5_000;
/**
 * Looks at a vmclock until its sequence is even, which means that nobody is writing. They are a
 * millisecond apart, and a writer needs microseconds.
 */
export const VMCLOCK_TRIES = 100;

// watch sockets

/** One text frame from a client: every legal one is far smaller. */
export const FRAME_BYTES_MAX = 64 * KIB;
/** Scopes that one connection may watch: each takes one slot in memory. */
export const SCOPES_PER_CONNECTION_MAX = 1_000;
/** Guest channels that one connection may follow: each takes one slot in memory. */
export const CHANNELS_PER_CONNECTION_MAX = 1_000;
/** Sockets that are sent a change before input is read again: below a millisecond of sending. */
export const CHANGES_PER_TURN = 64;
/**
 * Sockets answered before input is read again, because confirmations that wait there come first.
 */
export const ANSWERS_PER_TURN = 8;
/** Replies waiting for a socket that does not drain; past it the client is too slow. */
export const REPLIES_WAITING_MAX = 256;
/** A socket whose bytes stay unsent this long is closed: the kernel holds its backlog. */
export const SLOW_SOCKET_MS = 10_000;
/** The server pings this often, so a dead peer is found after two silent periods. */
export const HEARTBEAT_MS = 15_000;
/** Connections of all clients together: about 30 KiB of daemon memory each. */
export const CONNECTIONS_MAX = 20_000;

/** Time that a command of `innkeeper watch` has to end by itself after SIGTERM, before SIGKILL. */
export const HOOK_TERM_MS = 2_000;
/** How often a failed command is run again at most; each time after twice as long. */
export const HOOK_RETRIES_MAX = 100;
/** Longest pause before a failed command is run again. */
export const HOOK_RETRY_MS_MAX = 30_000;
/** How often `innkeeper watch --if-missing wait` looks for its scope. */
export const SCOPE_LOOK_MS = 500;
/** Bytes of a WebSocket message that is not whole yet. Every legal one is far smaller. */
export const SOCKET_UNFINISHED_BYTES_MAX = 1 * MIB;
/** Interval between looks at WebSockets that may grow. */
export const SOCKET_LOOK_MS = 50;
/** The same while one of them had unread bytes: at 2 GB/s a message grows by 20 MB in between. */
export const SOCKET_SUSPECT_LOOK_MS = 10;
/** WebSockets that are looked at in one turn, about a microsecond each. */
export const SOCKET_LOOKS_PER_TURN = 1_000;
/** Looks in a row at which a unix socket had unread bytes and gave no message. */
export const SOCKET_UNREAD_LOOKS = 4;
/** How long a WebSocket may take to close: a client that does not read never does. */
export const SOCKET_CLOSING_MS = 2_000;

// devices

/** Minors of anonymous devices: Linux has 20 bits for them, and the last value stays unused. */
export const MINORS_MAX = (1 << 20) - 2;
/** Keys of one map request: reading, committing and answering them holds the event loop 0.1 s. */
export const MAP_KEYS_MAX = 10_000;
/** Mappings of all multi devices together: about 300 bytes of memory each. */
export const MAPPINGS_MAX = 2_000_000;
/** A secondary device name in a mapping key: each mapping stores one. */
export const SECONDARY_DEVICE_CHARS_MAX = 256;
/** A file below /sys or of the vhost-user store: sysfs gives one page, 4 KiB, at most. */
export const HOST_FILE_BYTES_MAX = 64 * KIB;
/** Entries of one host folder that is listed: all names are held in memory. */
export const HOST_DIR_ENTRIES_MAX = 65_536;
/** Layers of block devices below one that is looked at: deeper ones are no host's. */
export const STORAGE_LAYERS_MAX = 32;
/** Host devices of all sandboxes together: about 2 KiB of memory each. */
export const HOST_DEVICES_MAX = 10_000;
/** Named holders of one host device: they are in its ledger entry. */
export const HOLDERS_PER_DEVICE_MAX = 1_000;
/** Driver options of one host device: they are in its ledger entry. */
export const DRIVER_OPTIONS_MAX = 64;
/** The name of a driver option, and its value: a short word or a path. */
export const DRIVER_OPTION_CHARS_MAX = 256;
/** Highest block index of a sandbox: SCSI has 256 targets of 256 units (docs/devices.md#8). */
export const BLOCK_INDEX_MAX = 65_534;
/** Root ports of a sandbox's machine: one PCI bus has 32 slots. */
export const ROOT_PORTS_MAX = 32;
/** An id that a hypervisor takes: QEMU's block layer allows 31 characters. */
export const HYPERVISOR_ID_CHARS_MAX = 31;
/** A memory region of a PCI device above this many bytes does not fit behind a PCI bridge. */
export const SMALL_BAR_BYTES_MAX = 4n * 1024n ** 3n;
/** Longest lease of a holder: whoever is away for longer should not use one. */
export const DEVICE_LEASE_MS_MAX = 24 * 60 * 60_000;
/**
 * An image of the device registry: 2,000,000 mappings are 70 MB when they name no second device.
 */
export const DEVICE_IMAGE_BYTES_MAX = 128 * MIB;

// inodes

/** Default budget of cached pages of all inodes, in bytes. */
export const CACHE_BYTES_DEFAULT = 256 * MIB;
/** Smallest budget: one fill window of read-ahead for a few inodes. */
export const CACHE_BYTES_MIN = 1 * MIB;
/** Share of the budget that may be dirty, as a divisor: the rest can always make room for reads. */
export const CACHE_DIRTY_DIVISOR = 2;
/**
 * Dirty ranges of all inodes together. Each is a journal record to replay and a write of its own.
 * The default cache may hold this many dirty pages, if no two of them touch.
 */
export const DIRTY_RUNS_MAX = 32_768;
/** Written ranges that are remembered until a sync, in memory; more are merged into one. */
export const UNSYNCED_RUNS_MAX = 1_000;
/** Bytes that one read copies on the event loop, about 0.1 ms; longer ones go to a thread. */
export const NONBLOCKING_READ_BYTES_MAX = 1 * MIB;
/** Threads that the runtime has for all calls that wait, measured with Deno 2.9.6. */
const WAITING_THREADS = 32;
/**
 * Of those, for calls on roots: what is left writes journals, the ledger and pages while every root
 * is stuck.
 */
export const ROOT_THREADS_MAX = WAITING_THREADS - 8;
/** Of those, for one root, however few there are: more do not make a disk faster. */
export const THREADS_PER_ROOT_MAX = 8;
/** Calls that wait for a thread of their root, each with its buffer; more are refused. */
export const THREAD_WAITERS_MAX = 1_024;
/**
 * How long a stop waits for the files of inodes, so that it takes less than 10 s together with
 * {@linkcode DRAIN_MS}. What is dirty by then is in the journals.
 */
export const INODES_STOP_MS = 3_000;
/** How often a read begins anew because its file is changed from outside, before it gives up. */
export const READ_RESTARTS_MAX = 16;
/** Bytes that a write-back gives to the backing file in one call: they are copied once. */
export const WRITE_BACK_BYTES = 1 * MIB;
/** Records after which a journal is rewritten as the dirty ranges that remain: about 400 KiB. */
export const JOURNAL_RECORDS_MAX = 10_000;
/** Open inodes: up to three file descriptors each, within a common ulimit of 65,536. */
export const OPEN_INODES_MAX = 10_000;
/** Ranges of one evict request: they are evicted one after the other. */
export const EVICT_RANGES_MAX = 1_000;
/** Named holders of one inode: each may have a lease with a timer. */
export const HOLDERS_PER_INODE_MAX = 1_000;
/** Bytes that one fill may read beyond the request (gVisor's maxFillRange). */
export const FILL_BYTES_MAX = 64 * KIB;
/** Largest window of a sequential read-ahead: what a disk reads in some milliseconds. */
export const READ_AHEAD_BYTES_MAX = 1 * MIB;
/** Most memory for one fill or write-back: as much as the larger of the two moves at once. */
export const COPY_BUFFER_BYTES = Math.max(READ_AHEAD_BYTES_MAX, WRITE_BACK_BYTES);
/** Free copy buffers of each size that stay for reuse, 1 MiB at most each; others are collected. */
export const COPY_BUFFERS_MAX = 4;
/** Share of the cache that one read-ahead may take, as a divisor, because others read as well. */
export const READ_AHEAD_CACHE_DIVISOR = 8;
/** Dirty bytes are written back after this long, so a crash of the host loses no more than that. */
export const WRITE_BACK_DELAY_MS = 5_000;
/** Longest interval between tries of a write-back that fails, and between those of mapped pages. */
export const WRITE_BACK_DELAY_MS_MAX = 60_000;
/**
 * Mapping segments of one inode (overlapping mappings split each other): about 300 bytes each.
 * Mapping the whole file touches every segment.
 */
export const MAPPINGS_PER_INODE_MAX = 10_000;
/** Longest lease of a holder of an inode: a night of a paused machine. */
export const INODE_LEASE_MS_MAX = 24 * 60 * 60_000;
/** Parts of one multipart write and ranges of one multipart read: each has a head of its own. */
export const BYTE_PARTS_MAX = 1_000;
/** A body of several parts is held in memory whole, so that a failing part undoes the others. */
export const MULTIPART_BYTES_MAX = 16 * MIB;
/** Bytes of a long body that are in memory at one time: one call to the storage. */
export const STREAM_PART_BYTES = 1 * MIB;
/** A body above this many bytes waits in a file until all of it is there, to save memory. */
export const SPOOL_BYTES_MIN = 1 * MIB;
/** A remote store that sends nothing for this long counts as failed. */
export const REMOTE_MS_MAX = 30_000;
/** Chunk of a mapped cache file: one huge page (gVisor's host file mapper). */
export const CHUNK_BYTES = 2 * MIB;
/** Largest offset of a file: Linux keeps it in a signed 64-bit number. */
export const FILE_OFFSET_MAX = (1n << 63n) - 1n;
/** A path, with the zero byte that ends it: PATH_MAX of Linux. */
export const PATH_BYTES_MAX = 4096;

// guests

/** Guests of one daemon: one Worker and about 30 MiB each. */
export const GUESTS_MAX = 256;
/** Memory of one bare guest, in pages: 256 MiB. */
export const GUEST_PAGES_MAX = 65_536;
/** Memory of all guests together, in bytes: what one daemon may take of its host. */
export const GUEST_BYTES_TOTAL_MAX = 4096 * MIB;
/** Pieces that one create request may load into a guest: a program has a few sections. */
export const GUEST_LOADS_MAX = 16;
/** Channels of one guest: a device has a few queues, a guest a few devices. */
export const CHANNELS_PER_GUEST_MAX = 256;
/** Longest lease of a guest's owner: a night of a paused machine. */
export const OWNER_LEASE_MS_MAX = 24 * 60 * 60_000;
/** Interrupt lines: 0 is the timer (lguest's LGUEST_IRQS). */
export const INTERRUPT_LINES = 32;
/** Longest run of one request, in milliseconds: below the time-outs of common proxies. */
export const RUN_BUDGET_MS_MAX = 60_000;
/** Length of a run without a budget, in milliseconds: as long as is allowed. */
export const RUN_BUDGET_MS_DEFAULT = 60_000;
/** A Worker that has not made its guest within this time is terminated; 0.1 s is usual. */
export const ENGINE_MAKE_MS = 30_000;
/** A Worker that does not answer a stop within this time counts as hung and is terminated. */
export const ENGINE_STOP_MS = 2_000;
/** Snapshots in the state folder: a list of them reads the head of each. */
export const SNAPSHOTS_MAX = 1_000;
/**
 * Index of one snapshot. In the largest guest every second page can be a range of its own, and a
 * guest with a share adds a path for each open file.
 */
export const SNAPSHOT_INDEX_BYTES_MAX = 4 * MIB;

// Linux guests

/** Bytes that a guest may write to a serial line before the host has taken any; then it waits. */
export const SERIAL_BACKLOG_BYTES = 128 * KIB;
/** Console output that is retained: twice what Debian's kernel prints while it boots. */
export const CONSOLE_RING_BYTES = 128 * KIB;
/** Console input that may wait for a guest that does not read: more than anybody pastes. */
export const CONSOLE_INPUT_BYTES_MAX = 64 * KIB;
/** Console output in one WebSocket frame: a slow client makes the daemon buffer only one. */
export const CONSOLE_FRAME_BYTES = 16 * KIB;
/** A kernel's command line: COMMAND_LINE_SIZE of Linux on x86, less the NUL. */
export const COMMAND_LINE_CHARS_MAX = 2047;
/** Disks of a Linux guest: the two drives of v86's first IDE channel. */
export const DISKS_PER_GUEST_MAX = 2;
/** Size of a disk: what 28-bit block addresses reach. */
export const DISK_BYTES_MAX = 128 * 1024 * MIB;
/** Bytes that a guest wrote to its disks, in a snapshot: they are held in memory once. */
export const SNAPSHOT_OVERLAY_BYTES_MAX = 256 * MIB;
/** Ranges of those bytes: the snapshot's index lists them. */
export const OVERLAY_RANGES_MAX = 16_384;
/** Tries of a guest's write to a full cache, each after a write-back. */
export const CACHE_FULL_TRIES = 3;
/** A line of a guest's reseeder; a failure with its reason is the longest. */
export const RESEED_LINE_BYTES_MAX = 512;
/** Requests of a guest's reseeder that wait to be served; it has one outstanding by itself. */
export const RESEED_REQUESTS_MAX = 64;
/** Replies that wait for a reseeder that sends requests and does not read. */
export const RESEED_REPLIES_MAX = 16;
/** Lease of the reseeder of a dead guest: it is lost at once, because it cannot come back. */
export const RESEEDER_LEASE_MS = 1;
/** Least memory of a Linux guest, in MiB: a distribution's kernel unpacks itself at 16 MiB. */
export const LINUX_MIB_MIN = 16;
/** A 9P message: a guest reads this much of a share at a time, and v86 copies it twice. */
export const NINEP_MESSAGE_BYTES_MAX = 64 * KIB;
/** 9P messages of a guest under way: as many as its queue has places. */
export const NINEP_CALLS_MAX = 32;
/** Names of one walk (9P2000, MAXWELEM). */
export const NINEP_WALK_NAMES_MAX = 16;
/** Fids of a guest: each open file and each folder on its path has one. */
export const NINEP_FIDS_MAX = 8_192;

// mount

/** Bytes of one write through the mount: what the kernel sends at most in one request. */
export const MOUNT_WRITE_BYTES_MAX = 1 * MIB;
/** Bytes that the kernel may read ahead through the mount. */
export const MOUNT_READ_BYTES = 1 * MIB;
/** Room for one request: a whole write and its headers, rounded up to a page. */
export const MOUNT_REQUEST_BYTES = MOUNT_WRITE_BYTES_MAX + PAGE_BYTES;
/** Requests that the kernel sends without anybody waiting for them, such as releases and read-ahead. */
export const MOUNT_BACKGROUND_MAX = 64;
/** Between two tries to release the watcher of a file that was closed while the ledger failed. */
export const MOUNT_RELEASE_RETRY_MS = 1_000;
/** Between two signs of life of a daemon whose mount the launcher keeps. */
export const MOUNT_BEAT_MS = 1_000;
/** A daemon without a sign of life for so long, that is not stopped, has a dead event loop. */
export const MOUNT_DEAD_MS = 10_000;
/** Failed starts in a row until the mount is given up: then its users get an error, and do not wait. */
export const MOUNT_RESTARTS_MAX = 5;
/** Between the start of a daemon and the start of the next one, when more than one has failed. */
export const MOUNT_RESTART_WAIT_MS = 1_000;
/** Lines of the mount's journal beside four for each node and file, until it is written anew. */
export const MOUNT_JOURNAL_LINES_MAX = 10_000;
/** Pages of programs that may map for writing: a descriptor each, and each bump stores to all. */
export const MOUNT_OWN_PAGES_MAX = 4_096;
/** Between two looks at whose files of a dead mount are open: each reads /proc of all processes. */
export const MOUNT_HELD_LOOK_MS = 1_000;
/** Processes of which the open files are looked at before the event loop runs: about 2 ms. */
export const PROCESSES_PER_TURN = 32;
/** A mount that does not say that it is dead within this time is taken for a living one. */
export const MOUNT_PROBE_MS = 2_000;
/** An open that needs a node for itself waits so long for those who only map it and close it. */
export const MOUNT_OPEN_WAIT_MS = 1_000;
/** Between two looks whether the node is free. */
export const MOUNT_OPEN_LOOK_MS = 5;
/** One wait for a channel's count; it begins anew, since longer timers of the platform misfire. */
export const CHANNEL_WAIT_MS = 10 * 60_000;
