/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "anonymize/anonymizer.h"
#include "base/compress.h"
#include "base/file.h"
#include "daemon/command.h"
#include "daemon/config-rules.h"
#include "daemon/log.h"
#include "daemon/meter.h"
#include "daemon/output.h"
#include "fetch/sha256.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define BLOCK ((size_t)256 << 10)
#define KEY_MIN 16

enum { OPTION_INPUT, OPTION_OUTPUT, OPTION_KEY, OPTION_KEEP_PREFIXES, OPTION_RULES };

static const CommandOption options[] = {
	[OPTION_INPUT] = {"input", 'i', "FILE", "read FILE instead of stdin; it may be compressed"},
	[OPTION_OUTPUT] = {"output", 'o', "FILE",
		"write FILE instead of stdout, whole or not at all"},
	[OPTION_KEY] = {"key", 0, "FILE",
		"the same values get the same stand-ins in each run with this secret"},
	[OPTION_KEEP_PREFIXES] = {"keep-prefixes", 0, NULL,
		"addresses of one network stay in one network"},
	[OPTION_RULES] = {"rules", 0, "FILE", "what else to replace, and what to keep"},
	{0},
};

typedef struct Work {
	const char *input_name;
	Rules *rules; /* NULL: none */
	Anonymizer *anonymizer;
	Reader *reader;
	OutputFile *output; /* NULL: stdout */
	char *buffer;       /* of ANONYMIZER_LINE_MAX and BLOCK bytes */
	size_t len;         /* of a line that goes on */
	bool skipping;      /* the rest of a line that was too long */
	StrBuf out;
	uint64_t done_bytes, total_bytes;
	Meter meter;
} Work;

static int fail(const char *what, int error)
{
	log_error("%s: %s", what, strerror(-error));
	return EXIT_FAILED;
}

/* ---- the key ----------------------------------------------------------------------------------- */

/* As many bytes of SHA-256 as a key has: whatever the file's form, all of it counts. */
static uint64_t read_hex(const char *digits)
{
	uint64_t value = 0;

	for (size_t i = 0; i < 16; i++)
		value = value << 4 |
			(uint64_t)(digits[i] <= '9' ? digits[i] - '0' : digits[i] - 'a' + 10);
	return value;
}

static int read_key(const char *path, HashKey *ret_key)
{
	/* A pipe would be waited for. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char sum[SHA256_TEXT_SIZE];
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return fail(path, -errno);
	if (!S_ISREG(st.st_mode)) {
		log_error("%s: is not a regular file", path);
		return EXIT_FAILED;
	}
	if (st.st_mode & S_IRWXO) {
		log_error("%s: can be read by everybody on this host (chmod o= would change that)",
			path);
		return EXIT_FAILED;
	}
	if (st.st_size < KEY_MIN) {
		log_error("%s: a key has at least %d bytes (head -c 32 /dev/urandom makes one)",
			path, KEY_MIN);
		return EXIT_FAILED;
	}
	r = sha256_of_file(fd, sum);
	if (r < 0)
		return fail(path, r);
	*ret_key = (HashKey){read_hex(sum), read_hex(sum + 16)};
	explicit_bzero(sum, sizeof(sum));
	return 0;
}

/* ---- input ------------------------------------------------------------------------------------- */

/* 0 or an exit status. */
static int open_input(Work *work, const char *path, struct stat *ret_stat)
{
	bool is_stdin = !path || !strcmp(path, "-");
	int fd = is_stdin ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
			  : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int r;

	work->input_name = is_stdin ? "standard input" : path;
	if (fd < 0)
		return fail(work->input_name, -errno);
	if (fstat(fd, ret_stat) < 0) {
		r = fail(work->input_name, -errno);
		(void)close(fd);
		return r;
	}
	if (S_ISDIR(ret_stat->st_mode)) {
		(void)close(fd);
		return fail(work->input_name, -EISDIR);
	}
	r = reader_new(fd, &work->reader);
	if (r == -ENOTSUP) {
		log_error("%s: is compressed in a way that this program was not built to read",
			work->input_name);
		return EXIT_FAILED;
	}
	if (r < 0)
		return fail(work->input_name, r);
	/* What a compressed one will be is not known. */
	if (S_ISREG(ret_stat->st_mode) && !reader_compressed(work->reader))
		work->total_bytes = (uint64_t)ret_stat->st_size;
	if (isatty(reader_fd(work->reader)))
		log_info("type lines of a log; Ctrl-D ends");
	return 0;
}

/* ---- output ------------------------------------------------------------------------------------ */

/* A log that is written over itself would be lost, or never end. */
static bool is_same(const struct stat *a, const struct stat *b)
{
	return S_ISREG(a->st_mode) && a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static int open_output(Work *work, const char *path, const struct stat *input)
{
	bool is_stdout = !path || !strcmp(path, "-");
	struct stat st;
	int r;

	if ((is_stdout ? fstat(STDOUT_FILENO, &st) : stat(path, &st)) >= 0 && is_same(&st, input)) {
		log_error("%s: is what is to be read, too; nothing is written",
			is_stdout ? "standard output" : path);
		return EXIT_FAILED;
	}
	if (is_stdout)
		return 0;
	r = output_open(path, &work->output);
	return r < 0 ? fail(path, r) : 0;
}

/* 0, or -errno of the output. */
static int flush(Work *work)
{
	int r = strbuf_error(&work->out);

	if (!r)
		r = file_write_full(work->output ? output_fd(work->output) : STDOUT_FILENO,
			strbuf_text(&work->out), work->out.len);
	strbuf_reset(&work->out);
	return r;
}

/* ---- lines ------------------------------------------------------------------------------------- */

/* What of the buffer are whole lines. 0 or -errno of the output. */
static int take_lines(Work *work)
{
	char *at = work->buffer, *end = work->buffer + work->len, *newline;
	int r = 0;

	while (!r && (newline = memchr(at, '\n', (size_t)(end - at)))) {
		if (!work->skipping)
			anonymizer_line(
				work->anonymizer, (Span){at, (size_t)(newline - at)}, &work->out);
		work->skipping = false;
		strbuf_append_char(&work->out, '\n');
		at = newline + 1;
		if (work->out.len >= 2 * BLOCK)
			r = flush(work);
	}
	work->len = (size_t)(end - at);
	if (work->skipping)
		work->len = 0;
	if (work->len > ANONYMIZER_LINE_MAX) {
		anonymizer_line(work->anonymizer, (Span){at, work->len}, &work->out);
		work->skipping = true;
		work->len = 0;
	}
	memmove(work->buffer, at, work->len);
	return r ? r : flush(work);
}

/* 0 or an exit status. */
static int take_all(Work *work, const char *output_name)
{
	ssize_t n;
	int r = 0;

	while (!r && (n = reader_read(work->reader, work->buffer + work->len, BLOCK)) > 0) {
		work->len += (size_t)n;
		work->done_bytes += (uint64_t)n;
		r = take_lines(work);
		meter_show(&work->meter, work->done_bytes, work->total_bytes);
	}
	if (!r && n >= 0 && work->len) {
		anonymizer_line(work->anonymizer, (Span){work->buffer, work->len}, &work->out);
		r = flush(work);
	}
	meter_clear(&work->meter);
	if (r < 0)
		return fail(output_name, r);
	if (n == -EBADMSG) {
		log_error("%s: the compressed data is damaged or cut short", work->input_name);
		return EXIT_FAILED;
	}
	return n < 0 ? fail(work->input_name, (int)n) : 0;
}

/* ---- the command ------------------------------------------------------------------------------- */

/* 0 or an exit status. */
static int read_rules(Work *work, const char *path, AnonymizerOptions *settings)
{
	_cleanup_strbuf_ StrBuf mistakes = STRBUF_INIT;
	int r;

	if (!path)
		return 0;
	r = config_rules_load(path, &work->rules, &mistakes);
	if (r) {
		command_log_mistakes(&mistakes);
		return r == -EINVAL ? EXIT_CONFIG : EXIT_FAILED;
	}
	rules_apply(work->rules, settings);
	return 0;
}

/* A pattern that never found anything may have a mistake, and what it was to replace is there still. */
static void tell_rules(const Rules *rules)
{
	RuleCount count = {0};

	for (size_t i = 0; rules && rules_count(rules, i, &count); i++) {
		if (count.gave_up)
			log_warning("rule %s: the pattern was too slow %" PRIu64
				    " times; the %s were replaced as a whole",
				count.name, count.gave_up, count.keeps ? "words" : "messages");
		else if (!count.found && !count.keeps)
			log_warning("rule %s: found nothing", count.name);
	}
}

static int anonymize_with(Work *work, const CommandInvocation *invocation)
{
	const char *output = invocation->option[OPTION_OUTPUT].value;
	bool is_file = output && strcmp(output, "-");
	AnonymizerOptions settings = {
		.keep_prefixes = invocation->option[OPTION_KEEP_PREFIXES].count};
	const char *key = invocation->option[OPTION_KEY].value;
	struct stat input;
	uint64_t cut;
	int r;

	r = key ? read_key(key, &settings.key) : hash_key_random(&settings.key);
	if (r)
		return r < 0 ? fail("getrandom", r) : r;
	r = read_rules(work, invocation->option[OPTION_RULES].value, &settings);
	if (!r)
		r = open_input(work, invocation->option[OPTION_INPUT].value, &input);
	if (!r)
		r = open_output(work, output, &input);
	if (r)
		return r;
	work->buffer = malloc(ANONYMIZER_LINE_MAX + BLOCK);
	r = work->buffer ? anonymizer_new(&settings, &work->anonymizer) : -ENOMEM;
	explicit_bzero(&settings.key, sizeof(settings.key));
	if (r < 0)
		return fail("anonymize", r);
	meter_init(&work->meter, "anonymize");
	r = take_all(work, is_file ? output : "standard output");
	if (r)
		return r;
	if (is_file) {
		r = output_finish(work->output);
		if (r < 0)
			return fail(output, r);
	}
	tell_rules(work->rules);
	cut = anonymizer_cut_count(work->anonymizer);
	if (cut)
		log_warning("%s: %" PRIu64
			    " lines are longer than %zu bytes: what follows is left out",
			work->input_name, cut, ANONYMIZER_LINE_MAX);
	return EXIT_DONE;
}

static int anonymize(const CommandInvocation *invocation)
{
	Work work = {.out = STRBUF_INIT};
	int status = anonymize_with(&work, invocation);

	output_free(work.output);
	anonymizer_free(work.anonymizer);
	rules_free(work.rules);
	reader_free(work.reader);
	strbuf_done(&work.out);
	free(work.buffer);
	return status;
}

const Command command_anonymize = {
	.name = "anonymize",
	.arguments = "",
	.options = options,
	.help = "make of a log one that can be shown to others",
	.run = anonymize,
};
