/* SPDX-License-Identifier: GPL-3.0-or-later */
/* run: timeout=120 */

/*
 * The targets of test/fuzz on their committed corpora: what a fuzzer found once stays found, under every compiler. A child
 * takes one file after the other; when one ends it, its parent says so and goes on with the next.
 */

#include <dirent.h>
#include <sys/mman.h>

#include "scratch.h"
#include "tap.h"

#define FILE_MAX ((size_t)1 << 20)
#define FILE_SECONDS_MAX 60

typedef int Target(const uint8_t *data, size_t size);

/* FUZZ_TARGETS comes from the build: X(calendar) X(checkpoint) ... */
#define X(name) Target fuzz_##name;
FUZZ_TARGETS
#undef X

static const struct {
	const char *name;
	Target *run;
} targets[] = {
#define X(name) {#name, fuzz_##name},
	FUZZ_TARGETS
#undef X
};

typedef struct Case {
	size_t target;
	char *path;
} Case;

static Case *cases;
static size_t case_count;

static int is_visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

/* 0 when there is no such corpus. */
static size_t find_cases(size_t target)
{
	const char *source = getenv("MLS_SOURCE_ROOT");
	_cleanup_free_ char *root = realpath(source ? source : ".", NULL);
	_cleanup_strbuf_ StrBuf dir = STRBUF_INIT;
	struct dirent **entries;
	int count;

	strbuf_appendf(&dir, "%s/test/fuzz/corpus/%s", root ? root : "", targets[target].name);
	count = scandir(strbuf_text(&dir), &entries, is_visible, alphasort);
	if (count < 0)
		return 0;
	cases = reallocarray(cases, case_count + (size_t)count + 1, sizeof(*cases));
	MUST(cases);
	for (int i = 0; i < count; i++) {
		cases[case_count++] =
			(Case){target, file_join_dup(strbuf_text(&dir), entries[i]->d_name)};
		free(entries[i]);
	}
	free(entries);
	return (size_t)count;
}

/* In memory of just its size, so that a byte too far is seen. */
static void run_case(const Case *c)
{
	StrBuf content = STRBUF_INIT;
	uint8_t *copy;

	MUST(!file_read(c->path, FILE_MAX, &content));
	copy = malloc(MAX(content.len, (size_t)1));
	MUST(copy);
	memcpy(copy, strbuf_text(&content), content.len);
	(void)targets[c->target].run(copy, content.len);
	free(copy);
	strbuf_done(&content);
}

static void free_cases(void)
{
	for (size_t i = 0; i < case_count; i++)
		free(cases[i].path);
	free(cases);
}

/* What the child said on stderr, in short. */
static void explain(int status)
{
	StrBuf said = scratch_read("stderr");
	char *rest = said.data, *line;

	if (WIFSIGNALED(status))
		tap_note("signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		tap_note("exit status %d", WEXITSTATUS(status));
	for (int i = 0; i < 30 && rest && (line = strsep(&rest, "\n")) && rest; i++)
		tap_note("%s", line);
	strbuf_done(&said);
}

/* From the case *at on. Returns how the child ended; *at is the case that ended it, or case_count. */
static int run_cases(volatile size_t *at)
{
	int said = open("stderr", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), status;
	pid_t pid;

	MUST(said >= 0);
	(void)fflush(stdout);
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		MUST(dup2(said, STDERR_FILENO) == STDERR_FILENO);
		for (; *at < case_count; ++*at) {
			(void)alarm(FILE_SECONDS_MAX);
			run_case(&cases[*at]);
		}
		free_cases();
		exit(0);
	}
	(void)close(said);
	MUST(waitpid(pid, &status, 0) == pid);
	return status;
}

int main(void)
{
	volatile size_t *at =
		mmap(NULL, sizeof(*at), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	size_t said = 0;

	MUST(at != MAP_FAILED);
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
		if (!find_cases(i))
			tap_ok(false, "there is a corpus for %s", targets[i].name);
	/* What a target that is ended leaves behind lies in there. */
	scratch_enter();
	MUST(!setenv("TMPDIR", scratch_root, 1));
	do {
		int status = run_cases(at);

		for (; said < *at; said++)
			tap_ok(true, "%s/%s", targets[cases[said].target].name,
				strrchr(cases[said].path, '/') + 1);
		if (said < case_count) {
			tap_ok(false, "%s/%s", targets[cases[said].target].name,
				strrchr(cases[said].path, '/') + 1);
			*at = ++said;
		} else {
			tap_ok(!status, "the last process ends well");
		}
		if (status)
			explain(status);
	} while (said < case_count);
	free_cases();
	return tap_done();
}
