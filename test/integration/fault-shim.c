/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * A preloaded library that makes one call of the program fail, and records what was called on which file. It counts the calls
 * of a kind from main() on:
 *
 *   FAULT_KIND    write, fsync (of a file or a directory), fdatasync, rename, unlink, open, read, ftruncate, malloc, mkdir, symlink or attribute
 *                 (mode, owner, times of what is open)
 *   FAULT_NTH     the first call that fails, 1 or more; none when it is not set
 *   FAULT_TIMES   how many calls fail, 1 unless it is set; 0: all from then on
 *   FAULT_ERRNO   the number of the error; 0: a write, or a read, does half of what it should; -9, -15: the process is killed, or told to end, there
 *   FAULT_RECORD  a file to which a line is appended for each call that may change what is on disk, for the fault, and, when the
 *                 program exits, for the number of calls of each kind ("counts write=3 ...")
 *
 * Writing to stderr never fails, for that is how a test sees what the program thinks of it. Other programs that it starts are left alone.
 */

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

typedef enum Kind {
	WRITE,
	FSYNC,
	FDATASYNC,
	RENAME,
	UNLINK,
	OPEN,
	READ,
	FTRUNCATE,
	MALLOC,
	MKDIR,
	SYMLINK,
	ATTRIBUTE,
	KIND_COUNT
} Kind;

static const char *const kind_names[] = {"write", "fsync", "fdatasync", "rename", "unlink", "open",
	"read", "ftruncate", "malloc", "mkdir", "symlink", "attribute"};

static bool armed; /* main() has begun */
static Kind fault_kind = KIND_COUNT;
static unsigned long fault_nth, fault_times = 1, counts[KIND_COUNT];
static int fault_errno, record_fd = -1;

/* The next definition of a name: the real one. */
static void *real(const char *name)
{
	return dlsym(RTLD_NEXT, name);
}
#define REAL(name) ((__typeof__(&name))real(#name))

static void record(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void record(const char *fmt, ...)
{
	int saved = errno;
	char line[1024];
	va_list ap;
	int n;

	if (record_fd < 0)
		return;
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n > 0)
		(void)syscall(SYS_write, record_fd, line,
			(size_t)n < sizeof(line) ? (size_t)n : sizeof(line));
	errno = saved;
}

typedef struct FdPath {
	char text[512];
} FdPath;

static FdPath path_of(int fd)
{
	FdPath path;
	char link[40];
	long n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path.text, sizeof(path.text) - 1);
	path.text[n > 0 ? n : 0] = '\0';
	return path;
}

/* Counts the call; whether it is to fail, with errno set (0: half of it). */
static bool fails(Kind kind)
{
	unsigned long n;

	if (!armed)
		return false;
	n = ++counts[kind];
	if (kind != fault_kind || !fault_nth || n < fault_nth ||
		(fault_times && n >= fault_nth + fault_times))
		return false;
	if (fault_errno < 0) {
		(void)raise(-fault_errno);
		return false;
	}
	errno = fault_errno;
	return true;
}

/* Records the fault. */
static void failed(Kind kind, const char *path)
{
	record("fault %s %d %s\n", kind_names[kind], fault_errno, path);
}

/* Of files alone, not of what wakes an event loop. */
static bool fails_fd(Kind kind, int fd)
{
	FdPath path = path_of(fd);

	if (path.text[0] != '/' || !fails(kind))
		return false;
	failed(kind, path.text);
	return true;
}

/* ---- start and end ---- */

static int (*program_main)(int, char **, char **);

static unsigned long number(const char *name, unsigned long missing)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 10) : missing;
}

static int counted_main(int argc, char **argv, char **envp)
{
	const char *kind = getenv("FAULT_KIND"), *path = getenv("FAULT_RECORD");

	if (strcmp(program_invocation_short_name, "maillogsentinel") != 0)
		return program_main(argc, argv, envp);
	for (int i = 0; kind && i < KIND_COUNT; i++)
		if (!strcmp(kind, kind_names[i]))
			fault_kind = (Kind)i;
	fault_nth = number("FAULT_NTH", 0);
	fault_times = number("FAULT_TIMES", 1);
	fault_errno = (int)number("FAULT_ERRNO", 0);
	if (path)
		record_fd = (int)syscall(SYS_openat, AT_FDCWD, path,
			O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	armed = true;
	return program_main(argc, argv, envp);
}

int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv, void (*init)(void),
	void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

EXPORT int __libc_start_main(int (*main)(int, char **, char **), int argc, char **argv,
	void (*init)(void), void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
	program_main = main;
	return REAL(__libc_start_main)(counted_main, argc, argv, init, fini, rtld_fini, stack_end);
}

__attribute__((destructor)) static void say_counts(void)
{
	armed = false;
	record("counts");
	for (int i = 0; i < KIND_COUNT; i++)
		record(" %s=%lu", kind_names[i], counts[i]);
	record("\n");
}

/* ---- the calls ---- */

EXPORT ssize_t write(int fd, const void *data, size_t len)
{
	ssize_t n;

	if (fd == STDERR_FILENO)
		return REAL(write)(fd, data, len);
	if (fails_fd(WRITE, fd)) {
		if (errno)
			return -1;
		len = (len + 1) / 2;
	}
	n = REAL(write)(fd, data, len);
	record("write %s %zd\n", path_of(fd).text, n);
	return n;
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
	ssize_t n;

	if (fails_fd(WRITE, fd)) {
		if (errno)
			return -1;
		len = (len + 1) / 2;
	}
	n = REAL(pwrite)(fd, data, len, offset);
	record("write %s %zd\n", path_of(fd).text, n);
	return n;
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t len, off_t offset)
{
	return pwrite(fd, data, len, offset);
}

EXPORT ssize_t read(int fd, void *data, size_t len)
{
	if (fails_fd(READ, fd)) {
		if (errno)
			return -1;
		len = (len + 1) / 2;
	}
	return REAL(read)(fd, data, len);
}

EXPORT ssize_t pread(int fd, void *data, size_t len, off_t offset)
{
	if (fails_fd(READ, fd)) {
		if (errno)
			return -1;
		len = (len + 1) / 2;
	}
	return REAL(pread)(fd, data, len, offset);
}

EXPORT ssize_t pread64(int fd, void *data, size_t len, off_t offset)
{
	return pread(fd, data, len, offset);
}

EXPORT int fsync(int fd)
{
	int r = fails_fd(FSYNC, fd) ? -1 : REAL(fsync)(fd);

	record("fsync %s %d\n", path_of(fd).text, r);
	return r;
}

EXPORT int fdatasync(int fd)
{
	int r = fails_fd(FDATASYNC, fd) ? -1 : REAL(fdatasync)(fd);

	record("fdatasync %s %d\n", path_of(fd).text, r);
	return r;
}

EXPORT int ftruncate(int fd, off_t length)
{
	int r = fails_fd(FTRUNCATE, fd) ? -1 : REAL(ftruncate)(fd, length);

	record("ftruncate %s %lld %d\n", path_of(fd).text, (long long)length, r);
	return r;
}

EXPORT int ftruncate64(int fd, off_t length)
{
	return ftruncate(fd, length);
}

EXPORT int rename(const char *from, const char *to)
{
	int r;

	if (fails(RENAME)) {
		failed(RENAME, to);
		return -1;
	}
	r = REAL(rename)(from, to);
	record("rename %s %d\n", to, r);
	return r;
}

EXPORT int renameat2(
	int from_directory, const char *from, int to_directory, const char *to, unsigned int flags)
{
	int r;

	if (fails(RENAME)) {
		failed(RENAME, to);
		return -1;
	}
	r = REAL(renameat2)(from_directory, from, to_directory, to, flags);
	record("rename %s %d\n", to, r);
	return r;
}

EXPORT int mkdirat(int directory, const char *path, mode_t mode)
{
	if (fails(MKDIR)) {
		failed(MKDIR, path);
		return -1;
	}
	return REAL(mkdirat)(directory, path, mode);
}

EXPORT int symlink(const char *target, const char *path)
{
	if (fails(SYMLINK)) {
		failed(SYMLINK, path);
		return -1;
	}
	return REAL(symlink)(target, path);
}

EXPORT int fchmod(int fd, mode_t mode)
{
	return fails_fd(ATTRIBUTE, fd) ? -1 : REAL(fchmod)(fd, mode);
}

EXPORT int fchown(int fd, uid_t uid, gid_t gid)
{
	return fails_fd(ATTRIBUTE, fd) ? -1 : REAL(fchown)(fd, uid, gid);
}

EXPORT int futimens(int fd, const struct timespec times[2])
{
	return fails_fd(ATTRIBUTE, fd) ? -1 : REAL(futimens)(fd, times);
}

EXPORT int unlink(const char *path)
{
	int r;

	if (fails(UNLINK)) {
		failed(UNLINK, path);
		return -1;
	}
	r = REAL(unlink)(path);
	record("unlink %s %d\n", path, r);
	return r;
}

EXPORT int unlinkat(int directory, const char *path, int flags)
{
	int r;

	if (fails(UNLINK)) {
		failed(UNLINK, path);
		return -1;
	}
	r = REAL(unlinkat)(directory, path, flags);
	record("unlink %s %d\n", path, r);
	return r;
}

static int open_at(int directory, const char *path, int flags, mode_t mode)
{
	if (fails(OPEN)) {
		failed(OPEN, path);
		return -1;
	}
	return (int)syscall(SYS_openat, directory, path, flags, mode);
}

static mode_t mode_of(int flags, va_list ap)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

#define OPEN_FUNCTION(name, directory, ...)                   \
	EXPORT int name(__VA_ARGS__, int flags, ...)          \
	{                                                     \
		mode_t mode;                                  \
		va_list ap;                                   \
                                                              \
		va_start(ap, flags);                          \
		mode = mode_of(flags, ap);                    \
		va_end(ap);                                   \
		return open_at(directory, path, flags, mode); \
	}

OPEN_FUNCTION(open, AT_FDCWD, const char *path)
OPEN_FUNCTION(open64, AT_FDCWD, const char *path)
OPEN_FUNCTION(openat, directory, int directory, const char *path)
OPEN_FUNCTION(openat64, directory, int directory, const char *path)

EXPORT DIR *opendir(const char *path)
{
	if (fails(OPEN)) {
		failed(OPEN, path);
		return NULL;
	}
	return REAL(opendir)(path);
}

/* ---- memory ---- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *pointer, size_t size);

/*
 * Whether the call comes from libconfig: it does not check what it gets, and crashes. How it parses a file in a process that has just
 * begun is not what is tried here.
 */
static bool from_libconfig(void *caller)
{
	Dl_info info;

	return dladdr(caller, &info) && info.dli_fname && strstr(info.dli_fname, "/libconfig");
}

static bool out_of_memory(void *caller)
{
	if (!armed || from_libconfig(caller) || !fails(MALLOC))
		return false;
	/* What records it takes no memory. */
	failed(MALLOC, "-");
	errno = ENOMEM;
	return true;
}

#define CALLER __builtin_return_address(0)

EXPORT void *malloc(size_t size)
{
	return out_of_memory(CALLER) ? NULL : __libc_malloc(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
	return out_of_memory(CALLER) ? NULL : __libc_calloc(count, size);
}

EXPORT void *realloc(void *pointer, size_t size)
{
	return out_of_memory(CALLER) ? NULL : __libc_realloc(pointer, size);
}

EXPORT void *reallocarray(void *pointer, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	return out_of_memory(CALLER) ? NULL : __libc_realloc(pointer, bytes);
}

/* Here and not in the C library, so that the caller is known. */
static char *copy(const char *text, void *caller)
{
	size_t size = strlen(text) + 1;
	char *made = out_of_memory(caller) ? NULL : __libc_malloc(size);

	return made ? memcpy(made, text, size) : NULL;
}

EXPORT char *strdup(const char *text)
{
	return copy(text, CALLER);
}

char *__strdup(const char *text);

EXPORT char *__strdup(const char *text)
{
	return copy(text, CALLER);
}
