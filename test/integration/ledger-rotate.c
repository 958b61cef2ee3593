/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ledger-rotate.h"

#include "base/file.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

static const char directory[] = "log", away[] = "away";
#define LOG_PATH "log/mail.log"
#define KEPT 24 /* more than rotations while the daemon is down */

static const char *const suffixes[] = {"", ".gz", ".xz", ".zst"};
static char compressors[][5] = {"", "gzip", "xz", "zstd"};

static void rotated_path(const Rotator *rotator, size_t at, bool compressed, char path[LEDGER_PATH])
{
	const RotatedFile *file = &rotator->files[at];
	const char *suffix = compressed ? suffixes[file->compressed] : "";
	unsigned number = 1;

	if (file->dated) {
		(void)snprintf(path, LEDGER_PATH, "%s%s%s", rotator->path, file->suffix, suffix);
		return;
	}
	for (size_t i = at + 1; i < rotator->file_count; i++)
		number += !rotator->files[i].dated;
	(void)snprintf(path, LEDGER_PATH, "%s.%u%s", rotator->path, number, suffix);
}

/* Between two steps: lines may be written, and things may happen to the daemon. */
static void step(Rotator *rotator)
{
	daemon_tick(rotator->daemon);
	writer_write(rotator->writer, random_chance(&rotator->random, 400)   ? 0
				      : random_chance(&rotator->random, 700) ? 10
									     : rotator->lines_max);
}

/* The same without lines. */
static void pause_step(Rotator *rotator)
{
	daemon_tick(rotator->daemon);
}

static uint64_t inode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : st.st_ino;
}

/* ---- compression -------------------------------------------------------------------------------- */

/* As logrotate does it: into a new file beside, which gets the times, then the old one goes. */
static void compress_start(Rotator *rotator, size_t at, Compression compression)
{
	char from[LEDGER_PATH], to[LEDGER_PATH];
	char to_stdout[] = "-c", *argv[] = {compressors[compression], to_stdout, NULL};
	posix_spawn_file_actions_t actions;

	rotated_path(rotator, at, true, from);
	(void)snprintf(to, sizeof(to), "%.80s%s", from, suffixes[compression]);
	LEDGER_MUST(!posix_spawn_file_actions_init(&actions));
	LEDGER_MUST(!posix_spawn_file_actions_addopen(&actions, 0, from, O_RDONLY, 0));
	LEDGER_MUST(!posix_spawn_file_actions_addopen(
		&actions, 1, to, O_WRONLY | O_CREAT | O_EXCL, 0644));
	LEDGER_MUST(!posix_spawnp(&rotator->compressor, argv[0], &actions, NULL, argv, environ));
	(void)posix_spawn_file_actions_destroy(&actions);
	rotator->compressing = at;
	rotator->files[at].compressed = compression;
	ledger_log("compress %s", to);
}

static void compress_finish(Rotator *rotator)
{
	char from[LEDGER_PATH], to[LEDGER_PATH];
	struct stat st;
	int status;

	if (!rotator->compressor)
		return;
	LEDGER_MUST(waitpid(rotator->compressor, &status, 0) == rotator->compressor && !status);
	rotator->compressor = 0;
	rotated_path(rotator, rotator->compressing, false, from);
	rotated_path(rotator, rotator->compressing, true, to);
	LEDGER_MUST(!stat(from, &st));
	LEDGER_MUST(!utimensat(AT_FDCWD, to, (struct timespec[]){st.st_atim, st.st_mtim}, 0));
	pause_step(rotator);
	LEDGER_MUST(!unlink(from));
	ledger_log("compressed %s", to);
}

static void compress_some(Rotator *rotator)
{
	compress_finish(rotator);
	for (size_t i = rotator->file_count; rotator->compression && i-- > 0;) {
		const RotatedFile *file = &rotator->files[i];

		if (rotator->delayed && i + 1 == rotator->file_count)
			continue;
		if (!file->closed)
			continue;
		if (!file->compressed) {
			compress_start(rotator, i, rotator->compression);
			if (random_chance(&rotator->random, 300))
				compress_finish(rotator);
		}
		return;
	}
}

/* ---- the list of rotated files ------------------------------------------------------------------ */

/* The oldest goes, when it was read. */
static void drop_oldest(Rotator *rotator)
{
	Counters *written = &rotator->writer->written;
	char path[LEDGER_PATH];

	while (rotator->file_count >= KEPT) {
		uint64_t needed = rotator->files[0].last_line + 1;

		if (!daemon_has_read(rotator->daemon, needed)) {
			ledger_log("wait for line %" PRIu64, needed);
			if (written->lines < needed)
				writer_write_failure(rotator->writer);
			daemon_hold(rotator->daemon);
			daemon_wait_for(rotator->daemon, needed, 0);
			daemon_release(rotator->daemon);
		}
		rotated_path(rotator, 0, true, path);
		LEDGER_MUST(!unlink(path));
		ledger_log("remove %s", path);
		memmove(rotator->files, rotator->files + 1,
			--rotator->file_count * sizeof(*rotator->files));
	}
}

/* Numbered files make room for a new number 1. */
static void shift(Rotator *rotator)
{
	char from[LEDGER_PATH], to[LEDGER_PATH];

	for (size_t i = 0; i < rotator->file_count; i++) {
		if (rotator->files[i].dated)
			continue;
		rotated_path(rotator, i, true, from);
		/* as if the new one were there */
		rotator->files[rotator->file_count++] = (RotatedFile){0};
		rotated_path(rotator, i, true, to);
		rotator->file_count--;
		LEDGER_MUST(!rename(from, to));
		if (random_chance(&rotator->random, 60))
			step(rotator);
	}
}

static void next_suffix(Rotator *rotator, char suffix[32])
{
	time_t noon = 1000000000 + (time_t)rotator->day++ * 86400;
	struct tm tm;

	LEDGER_MUST(gmtime_r(&noon, &tm));
	LEDGER_MUST(strftime(
		suffix, 32, rotator->naming == NAMING_STAMPED ? ".%Y%m%d-%H%M%S" : "-%Y%m%d", &tm));
}

/* The new last file of the list. */
static RotatedFile *add_file(Rotator *rotator)
{
	RotatedFile *file = &rotator->files[rotator->file_count++];

	LEDGER_MUST(rotator->file_count <= ROTATED_MAX);
	*file = (RotatedFile){.dated = rotator->naming != NAMING_NUMBERED};
	if (file->dated)
		next_suffix(rotator, file->suffix);
	return file;
}

/* Siblings of two manners are ordered by time, which is as fine as the kernel's clock: no two of them may have the same. */
static void let_time_pass(const Rotator *rotator)
{
	size_t dated = 0;

	for (size_t i = 0; i < rotator->file_count; i++)
		dated += rotator->files[i].dated;
	if (dated && dated < rotator->file_count)
		ledger_sleep_us(12000);
}

/* The writer goes on in the log as it is now. */
static void reopen(Rotator *rotator, mode_t mode)
{
	writer_open(rotator->writer, rotator->path, !rotator->no_append, mode);
	for (size_t i = 0; i < rotator->file_count; i++) {
		if (rotator->files[i].closed)
			continue;
		rotator->files[i].closed = true;
		rotator->files[i].last_line = rotator->writer->written.lines;
	}
	let_time_pass(rotator);
	ledger_log("the writer goes on in inode %" PRIu64 "%s", inode_of(rotator->path),
		rotator->no_append ? ", without O_APPEND" : "");
}

/* ---- rotations ---------------------------------------------------------------------------------- */

/* The log gets the name of a rotated file. */
static void move_away(Rotator *rotator)
{
	char path[LEDGER_PATH];
	RotatedFile *file;

	if (rotator->linked) {
		/* The file has its name already. */
		file = &rotator->files[rotator->file_count++];
		*file = (RotatedFile){.dated = true};
		memcpy(file->suffix, rotator->linked_suffix, sizeof(file->suffix));
		ledger_log("the link to %s goes", file->suffix);
		return;
	}
	if (rotator->naming == NAMING_NUMBERED)
		shift(rotator);
	(void)add_file(rotator);
	rotated_path(rotator, rotator->file_count - 1, false, path);
	LEDGER_MUST(!rename(rotator->path, path));
	ledger_log("rename to %s", path);
}

/* A new log; sometimes the writer is who makes it. */
static void make_new(Rotator *rotator, mode_t mode)
{
	char target[LEDGER_PATH], link[LEDGER_PATH];
	bool was_linked = rotator->linked;
	int fd;

	rotator->linked = rotator->naming == NAMING_LINKED;
	if (was_linked && (!rotator->linked || random_chance(&rotator->random, 500))) {
		LEDGER_MUST(!unlink(rotator->path));
		step(rotator);
	}
	if (rotator->linked) {
		next_suffix(rotator, rotator->linked_suffix);
		(void)snprintf(
			target, sizeof(target), "%s%s", rotator->path, rotator->linked_suffix);
		(void)snprintf(link, sizeof(link), "%s.link", rotator->path);
		fd = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
		LEDGER_MUST(fd >= 0 && !close(fd));
		step(rotator);
		LEDGER_MUST(
			!symlink(target + strlen("log/"), link) && !rename(link, rotator->path));
		ledger_log("a link to %s", target);
	} else if (random_chance(&rotator->random, 700)) {
		fd = open(rotator->path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
		LEDGER_MUST(fd >= 0 && !close(fd));
		ledger_log("a new log, inode %" PRIu64, inode_of(rotator->path));
	}
}

static void rotate_by_renaming(Rotator *rotator, bool twice)
{
	mode_t mode = random_chance(&rotator->random, 150) ? 0200 : 0644;
	uint64_t removed = 0;
	char path[LEDGER_PATH];

	compress_finish(rotator);
	if (rotator->file_count) {
		rotated_path(rotator, 0, true, path);
		removed = inode_of(path);
	}
	drop_oldest(rotator);
	step(rotator);
	move_away(rotator);
	step(rotator);
	make_new(rotator, twice ? 0644 : mode);
	step(rotator);
	if (twice) {
		/* Before the writer has even noticed the first. */
		rotator->rotations++;
		if (!inode_of(rotator->path)) {
			int fd = open(rotator->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

			LEDGER_MUST(fd >= 0 && !close(fd));
		}
		if (random_chance(&rotator->random, 500))
			reopen(rotator, 0644);
		step(rotator);
		drop_oldest(rotator);
		move_away(rotator);
		step(rotator);
		make_new(rotator, mode);
		step(rotator);
	}
	reopen(rotator, mode);
	rotator->inodes_reused += removed && inode_of(rotator->path) == removed;
	step(rotator);
	if (mode == 0200) {
		/* As postlogd makes it: another may not read it at first. */
		step(rotator);
		LEDGER_MUST(!chmod(rotator->path, 0644));
		ledger_log("it may be read");
	}
	compress_some(rotator);
}

static void copy_file(Rotator *rotator, const char *from, const char *to)
{
	static char buffer[1 << 18];
	_cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC), out;
	ssize_t n;

	out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	LEDGER_MUST(in >= 0 && out >= 0);
	while ((n = read(in, buffer, 1 + random_below(&rotator->random, sizeof(buffer) - 1))) > 0) {
		LEDGER_MUST(!file_write_full(out, buffer, (size_t)n));
		if (random_chance(&rotator->random, 100))
			pause_step(rotator);
	}
	LEDGER_MUST(!n && !close(take_fd(&out)));
}

/* The writer waits: what is written between copy and cut is lost by nature. */
static void rotate_by_copying(Rotator *rotator)
{
	char path[LEDGER_PATH];
	RotatedFile *file;

	compress_finish(rotator);
	drop_oldest(rotator);
	step(rotator);
	if (rotator->naming == NAMING_NUMBERED)
		shift(rotator);
	file = add_file(rotator);
	rotated_path(rotator, rotator->file_count - 1, false, path);
	copy_file(rotator, rotator->path, path);
	pause_step(rotator);
	ledger_log("copied to %s, truncating inode %" PRIu64, path, inode_of(rotator->path));
	LEDGER_MUST(!truncate(rotator->path, 0));
	file->closed = true;
	file->last_line = rotator->writer->written.lines;
	let_time_pass(rotator);
	step(rotator);
	compress_some(rotator);
}

/* ---- what happens now and then ------------------------------------------------------------------- */

/* All that was written is read and committed, and the daemon is left alone. */
static void catch_up(Rotator *rotator)
{
	const Counters *written = &rotator->writer->written;

	/* What is written now is committed by who has the log open from here on. */
	daemon_hold(rotator->daemon);
	writer_write_failure(rotator->writer);
	daemon_wait_for(rotator->daemon, written->lines, written->failures);
}

static void move_directory(Rotator *rotator)
{
	compress_finish(rotator);
	LEDGER_MUST(!rename(directory, away));
	ledger_log("the directory is away");
	step(rotator);
	step(rotator);
	LEDGER_MUST(!rename(away, directory));
	ledger_log("the directory is back");
	step(rotator);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

/* What the old directory held is read as far as it is open. */
static void recreate_directory(Rotator *rotator)
{
	compress_finish(rotator);
	catch_up(rotator);
	LEDGER_MUST(!rename(directory, away));
	step(rotator);
	LEDGER_MUST(!mkdir(directory, 0755));
	ledger_log("another directory");
	step(rotator);
	rotator->linked = false;
	rotator->file_count = 0;
	reopen(rotator, 0644);
	step(rotator);
	catch_up(rotator);
	daemon_release(rotator->daemon);
	daemon_release(rotator->daemon);
	LEDGER_MUST(!nftw(away, remove_entry, 8, FTW_DEPTH | FTW_PHYS));
}

/* Removed while it is followed; the writer goes on in what has no name for a while. */
static void remove_log(Rotator *rotator)
{
	catch_up(rotator);
	LEDGER_MUST(!unlink(rotator->path));
	ledger_log("removed the log");
	step(rotator);
	if (rotator->linked)
		move_away(rotator);
	rotator->linked = false;
	make_new(rotator, 0644);
	step(rotator);
	reopen(rotator, 0644);
	catch_up(rotator);
	daemon_release(rotator->daemon);
	daemon_release(rotator->daemon);
}

/* Removed and made anew while nobody follows it: the new one often gets the inode of the old one. */
static void reuse_inode(Rotator *rotator)
{
	uint64_t inode = inode_of(rotator->path);
	char path[LEDGER_PATH];

	compress_finish(rotator);
	catch_up(rotator);
	daemon_stop(rotator->daemon);
	(void)snprintf(path, sizeof(path), "%s%s", rotator->path,
		rotator->linked ? rotator->linked_suffix : "");
	(void)close(rotator->writer->fd);
	rotator->writer->fd = -1;
	LEDGER_MUST(!unlink(path));
	reopen(rotator, 0644);
	rotator->inodes_reused += inode_of(rotator->path) == inode;
	rotator->lost_warnings++;
	writer_write(rotator->writer, rotator->lines_max);
	catch_up(rotator);
	daemon_release(rotator->daemon);
	daemon_release(rotator->daemon);
}

/* Without a copy: all of it was read before. */
static void truncate_log(Rotator *rotator)
{
	catch_up(rotator);
	ledger_log("truncating inode %" PRIu64, inode_of(rotator->path));
	LEDGER_MUST(!truncate(rotator->path, 0));
	rotator->lost_warnings++;
	if (random_chance(&rotator->random, 500))
		writer_write(rotator->writer, rotator->lines_max);
	catch_up(rotator);
	daemon_release(rotator->daemon);
	daemon_release(rotator->daemon);
}

/* ---- all ---------------------------------------------------------------------------------------- */

static void draw_manner(Rotator *rotator)
{
	Random *random = &rotator->random;

	rotator->lasts = 3 + random_below(random, 25);
	rotator->naming = (Naming)random_below(random, NAMING_COUNT);
	rotator->compression = random_chance(random, 300)
				       ? COMPRESS_NONE
				       : (Compression)(1 + random_below(random, 3));
	if (random_chance(random, 200))
		rotator->compression = COMPRESS_GZ;
	rotator->delayed = random_chance(random, 500);
	rotator->copy = rotator->naming != NAMING_LINKED && random_chance(random, 300);
	rotator->no_append = rotator->copy && random_chance(random, 300);
	writer_set_append(rotator->writer, !rotator->no_append);
	/* Siblings of two manners are ordered by time: see let_time_pass(). */
	ledger_sleep_us(12000);
	ledger_log("manner: naming %d, compression %d%s%s%s", (int)rotator->naming,
		(int)rotator->compression, rotator->delayed ? " delayed" : "",
		rotator->copy ? ", copy and truncate" : "",
		rotator->no_append ? " without O_APPEND" : "");
}

void rotator_init(
	Rotator *rotator, Writer *writer, Daemon *daemon, uint64_t seed, uint32_t lines_max)
{
	*rotator = (Rotator){.random = ledger_random(seed),
		.writer = writer,
		.daemon = daemon,
		.lines_max = lines_max};
	(void)snprintf(rotator->path, sizeof(rotator->path), "%s", LOG_PATH);
	LEDGER_MUST(!mkdir(directory, 0755));
	writer_open(writer, rotator->path, true, 0644);
}

enum {
	BY_RENAMING,
	TWICE,
	BY_COPYING,
	DIRECTORY_MOVED,
	DIRECTORY_NEW,
	LOG_REMOVED,
	INODE_REUSED,
	TRUNCATED
};
static const char *const kinds[] = {"renamed", "renamed twice", "copied and truncated",
	"directory away and back", "directory anew", "log removed and made anew",
	"the same while down", "truncated"};

void rotator_next(Rotator *rotator)
{
	uint32_t draw = random_below(&rotator->random, 1000);
	unsigned kind;

	if (!rotator->lasts--)
		draw_manner(rotator);
	if (draw < 30)
		kind = DIRECTORY_MOVED;
	else if (draw < 35)
		kind = DIRECTORY_NEW;
	else if (draw < 43)
		kind = LOG_REMOVED;
	else if (draw < 51)
		kind = INODE_REUSED;
	else if (draw < 59)
		kind = TRUNCATED;
	else if (rotator->copy && !rotator->linked)
		kind = BY_COPYING;
	else
		kind = draw < 200 ? TWICE : BY_RENAMING;
	rotator->counts[kind]++;
	rotator->rotations++;
	ledger_log("rotation %u: %s", rotator->rotations, kinds[kind]);
	switch (kind) {
	case BY_RENAMING: rotate_by_renaming(rotator, false); break;
	case TWICE: rotate_by_renaming(rotator, true); break;
	case BY_COPYING: rotate_by_copying(rotator); break;
	case DIRECTORY_MOVED: move_directory(rotator); break;
	case DIRECTORY_NEW: recreate_directory(rotator); break;
	case LOG_REMOVED: remove_log(rotator); break;
	case INODE_REUSED: reuse_inode(rotator); break;
	default: truncate_log(rotator); break;
	}
	daemon_rotated(rotator->daemon);
	step(rotator);
}

void rotator_done(Rotator *rotator)
{
	compress_finish(rotator);
}

void rotator_print(const Rotator *rotator)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		printf("%5u %s\n", rotator->counts[i], kinds[i]);
	printf("%5u times a new log had the inode of an old one\n", rotator->inodes_reused);
}
