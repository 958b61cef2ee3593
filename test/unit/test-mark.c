/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "state/mark.h"

#include "random.h"
#include "scratch.h"
#include "tap.h"

#define FILE_SIZE 20000u

static char bytes[FILE_SIZE];

static int open_read(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	MUST(fd >= 0);
	return fd;
}

static const uint32_t offsets[] = {
	0, 1, 2, 255, 256, 257, 4095, 4096, 4097, 4351, 4352, 4353, 19999, 20000};

static void test_from_fd(void)
{
	_cleanup_close_ int fd = open_read("log");
	const struct timespec times[2] = {{5, 0}, {7, 123456789}};
	FileMark mark;
	struct stat st;

	MUST(!futimens(fd, times) && !fstat(fd, &st));
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		uint32_t offset = offsets[i], head = MIN(offset, 4096u), tail = MIN(offset, 256u);
		int r = mark_from_fd(fd, offset, &mark);

		tap_ok(!r && mark.offset == offset && mark.head_len == head &&
				mark.tail_len == tail && mark.head_hash == mark_hash(bytes, head) &&
				mark.tail_hash == mark_hash(bytes + offset - tail, tail) &&
				mark.inode == st.st_ino && mark.device == st.st_dev &&
				mark.written_us == 7123456,
			"the mark of byte %u", offset);
	}
	tap_ok(mark_from_fd(fd, FILE_SIZE + 1, &mark) == -ESPIPE, "no mark behind the end");
	tap_ok(mark_from_fd(fd, UINT64_MAX, &mark) < 0, "no mark where no file can be");
	tap_ok(mark_from_fd(-1, 0, &mark) == -EBADF, "no mark without a file");
}

/* Each change of the file, and what then becomes of the mark of each offset. */
static void test_compare(Random *random)
{
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		uint32_t offset = offsets[i], head = MIN(offset, 4096u), tail = MIN(offset, 256u);
		_cleanup_close_ int fd = open_read("log");
		FileMark mark;
		bool ok = true;

		MUST(!mark_from_fd(fd, offset, &mark));
		tap_ok(!mark_compare_fd(&mark, fd), "%u: the file itself", offset);
		for (int n = 0; n < 40; n++) {
			uint32_t at = random_below(random, FILE_SIZE);
			bool seen = at < head || (at < offset && at >= offset - tail);
			_cleanup_close_ int changed = -1;

			if (n < 8 && offset)
				at = (const uint32_t[]){
					0, head - 1, offset - tail, offset - 1}[n % 4];
			seen = at < head || (at < offset && at >= offset - tail);
			scratch_write("changed", bytes, FILE_SIZE);
			MUST((changed = open("changed", O_RDWR | O_CLOEXEC)) >= 0);
			MUST(pwrite(changed, &(char){(char)(bytes[at] ^ 1)}, 1, at) == 1);
			ok = ok && mark_compare_fd(&mark, changed) == (seen ? MARK_OTHER : 0);
		}
		tap_ok(ok, "%u: a changed byte in what is compared makes it another", offset);
		ok = true;
		for (int n = 0; n < 20; n++) {
			uint32_t size = n        ? random_below(random, FILE_SIZE + 1)
					: offset ? offset - 1
						 : 0;
			int expected = size >= offset ? 0 : size >= head ? MARK_SHORT : MARK_OTHER;
			_cleanup_close_ int cut = -1;

			scratch_write("cut", bytes, size);
			cut = open_read("cut");
			ok = ok && mark_compare_fd(&mark, cut) == expected;
		}
		tap_ok(ok, "%u: cut off before the place", offset);
	}
}

static void test_edges(void)
{
	_cleanup_close_ int fd = open_read("log"), directory = open_read(".");
	FileMark mark, other;

	MUST(!mark_from_fd(fd, 9000, &mark));
	other = mark;
	other.device++;
	other.inode++;
	other.written_us = 0;
	tap_ok(!mark_compare_fd(&other, fd), "device, inode and time do not decide");
	other = mark;
	other.tail_len = 0;
	other.offset = FILE_SIZE + 1;
	tap_ok(mark_compare_fd(&other, fd) == MARK_SHORT, "short, also without bytes to compare");
	other.offset = UINT64_MAX;
	tap_ok(mark_compare_fd(&other, fd) == MARK_SHORT, "an absurd offset is short");
	tap_ok(mark_compare_fd(&mark, directory) == -EISDIR, "a directory is an error");
	MUST(!mark_from_fd(fd, 0, &mark));
	tap_ok(!mark_compare_fd(&mark, fd), "the start of a file fits every file");
}

/* Content that is read from its start is told apart as an open file is, and says how much of it there is. */
static void test_reader(Random *random)
{
	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		_cleanup_close_ int fd = open_read("log");
		FileMark mark;
		bool ok = true;

		MUST(!mark_from_fd(fd, offsets[i], &mark));
		for (int n = 0; n < 40; n++) {
			_cleanup_(reader_freep) Reader *reader = NULL;
			_cleanup_close_ int other = -1;
			uint32_t at = random_below(random, FILE_SIZE), len = FILE_SIZE;
			uint64_t length = 0;
			int r, expected;

			if (n & 1)
				at = offsets[i] - random_below(random, MIN(300u, offsets[i] + 1));
			if (n & 2)
				len = at;
			bytes[at % FILE_SIZE] ^= n & 4 ? 1 : 0;
			scratch_write("other", bytes, len);
			bytes[at % FILE_SIZE] ^= n & 4 ? 1 : 0;
			other = open_read("other");
			expected = mark_compare_fd(&mark, other);
			MUST(!reader_new(dup(other), &reader));
			r = mark_compare_reader(&mark, reader, &length);
			ok = ok && r == expected &&
			     (r == MARK_OTHER || length == MIN((uint64_t)len, mark.offset));
		}
		tap_ok(ok, "%u: a stream", offsets[i]);
	}
}

int main(void)
{
	Random random = random_seeded();

	scratch_enter();
	for (size_t i = 0; i < FILE_SIZE; i++)
		bytes[i] = (char)random_next(&random);
	scratch_write("log", bytes, FILE_SIZE);
	test_from_fd();
	test_compare(&random);
	test_reader(&random);
	test_edges();
	return tap_done();
}
