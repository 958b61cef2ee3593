/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/letter.h"

#include "base/number.h"
#include "base/utf8.h"
#include "state/frame.h"

#include <inttypes.h>

#define LETTER_NAME "letter"
#define LETTER_VERSION 1
#define TRIES_NAME "tries"
#define TRIES_VERSION 1

static const char *const receipt_names[] = {
	[RECEIPT_NONE] = "none",
	[RECEIPT_ACCEPTED] = "accepted",
	[RECEIPT_REFUSED] = "refused",
};

/* ---- the letter ----------------------------------------------------------------------------- */

void letter_done(Letter *letter)
{
	free(letter->list);
	strbuf_done(&letter->buffer);
	*letter = LETTER_INIT;
}

/* A line break in it would be another line. */
static bool is_line(const char *text)
{
	return *text && !strpbrk(text, "\r\n");
}

static bool can_be_written(const Letter *letter)
{
	bool ok = letter->message.len && letter->message.data[letter->message.len - 1] == '\n' &&
		  letter->from && is_line(letter->from) && letter->to_count &&
		  letter->to_count <= LETTER_RECIPIENTS_MAX;

	for (size_t i = 0; i < letter->to_count && ok; i++)
		ok = is_line(letter->to[i]);
	return ok;
}

int letter_save(const char *path, const Letter *letter)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	const CsvPlace *start = &letter->start.place;

	if (!can_be_written(letter))
		return -EINVAL;
	if (letter->message.len > LETTER_MESSAGE_MAX)
		return -EFBIG;
	frame_begin(&sb, LETTER_NAME, LETTER_VERSION);
	strbuf_appendf(&sb, "created %" PRId64 "\n", letter->created_us);
	if (letter->has_start)
		strbuf_appendf(&sb,
			"start number=%" PRIu64 " offset=%" PRIu64 " series=%016" PRIx64
			" written=%" PRId64 "\n",
			start->number, start->offset, start->series, letter->start.written_us);
	strbuf_appendf(&sb, "from %s\n", letter->from);
	for (size_t i = 0; i < letter->to_count; i++)
		strbuf_appendf(&sb, "to %s\n", letter->to[i]);
	strbuf_append_string(&sb, "end\n");
	bookmark_append(&sb, &letter->end, letter->message);
	return frame_save(path, &sb);
}

/* The checksum has told that this program wrote the numbers: none is out of range. NOLINTBEGIN(cert-err34-c) */
static int read_start(const char *value, Letter *letter)
{
	CsvPlace *start = &letter->start.place;
	int end = 0;

	if (sscanf(value,
		    "number=%" SCNu64 " offset=%" SCNu64 " series=%" SCNx64 " written=%" SCNd64
		    "%n",
		    &start->number, &start->offset, &start->series, &letter->start.written_us,
		    &end) != 4 ||
		value[end])
		return -EBADMSG;
	letter->has_start = true;
	return 0;
}
/* NOLINTEND(cert-err34-c) */

static int read_number(const char *value, int64_t *ret_number)
{
	uint64_t number;

	if (number_parse_u64(span_from_string(value), INT64_MAX, &number))
		return -EBADMSG;
	*ret_number = (int64_t)number;
	return 0;
}

static int add_recipient(Letter *letter, const char *address)
{
	const char **list;

	if (letter->to_count == LETTER_RECIPIENTS_MAX)
		return -EBADMSG;
	list = array_grow(letter->list, letter->to_count, sizeof(*list));
	if (!list)
		return -ENOMEM;
	letter->to = letter->list = list;
	list[letter->to_count++] = address;
	return 0;
}

/* The line stays where it is as long as the letter. 0, -EBADMSG, -ENOMEM. */
static int read_head_line(const char *line, Letter *letter)
{
	const char *value = strchr(line, ' ');
	Span key = {line, value ? (size_t)(value++ - line) : 0};

	if (span_equal_string(key, "created"))
		return read_number(value, &letter->created_us);
	if (span_equal_string(key, "start"))
		return read_start(value, letter);
	if (span_equal_string(key, "to"))
		return add_recipient(letter, value);
	if (!span_equal_string(key, "from") || letter->from)
		return -EBADMSG;
	letter->from = value;
	return 0;
}

/* The lines of the file, which are the letter's already. 0, -EBADMSG, -ENOMEM. */
static int parse(Letter *letter)
{
	StrBuf *sb = &letter->buffer, rest;
	char *line = NULL;
	size_t at = 0;
	int r;

	do {
		r = frame_line(sb, &at, &line);
		if (!r && !line)
			r = -EBADMSG;
		if (!r && strcmp(line, "end"))
			r = read_head_line(line, letter);
	} while (!r && strcmp(line, "end"));
	if (r)
		return r;
	/* A view: nothing is added to it. */
	rest = (StrBuf){.data = sb->data + at, .len = sb->len - at};
	r = bookmark_parse(&rest, &letter->end, &letter->message);
	return !r && !can_be_written(letter) ? -EBADMSG : r;
}

int letter_load(const char *path, Letter *ret_letter, Why *ret_why)
{
	_cleanup_letter_ Letter letter = LETTER_INIT;
	int r = frame_load(path, LETTER_NAME, LETTER_VERSION, &letter.buffer, ret_why);

	if (r == FRAME_NONE) {
		why_set(ret_why, "%s", strerror(ENOENT));
		return -ENOENT;
	}
	if (r < 0)
		return r == -EFBIG ? -EBADMSG : r;
	r = parse(&letter);
	if (r < 0) {
		why_set(ret_why, "%s", r == -EBADMSG ? "a line of it can't be read" : strerror(-r));
		return r;
	}
	*ret_letter = letter;
	letter = LETTER_INIT;
	return 0;
}

/* ---- what has become of it ------------------------------------------------------------------- */

void tries_done(Tries *tries)
{
	free(tries->reason);
	free(tries->receipts);
	*tries = TRIES_INIT;
}

int tries_begin(const Letter *letter, Tries *ret_tries)
{
	Receipt *receipts = calloc(letter->to_count, sizeof(*receipts));

	if (!receipts)
		return -ENOMEM;
	*ret_tries = (Tries){
		.created_us = letter->created_us,
		.since_us = letter->created_us,
		.receipts = receipts,
		.receipt_count = letter->to_count,
	};
	return 0;
}

int tries_set_reason(Tries *tries, const char *reason)
{
	char *copy = span_dup((Span){reason, strnlen(reason, LETTER_REASON_MAX)});

	if (!copy)
		return -ENOMEM;
	free(tries->reason);
	tries->reason = copy;
	return 0;
}

int tries_save(const char *path, const Tries *tries)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	frame_begin(&sb, TRIES_NAME, TRIES_VERSION);
	strbuf_appendf(&sb,
		"created %" PRId64 "\nsince %" PRId64 "\ncount %" PRIu64 "\nfirst %" PRId64
		"\nlast %" PRId64 "\nopen %d\n",
		tries->created_us, tries->since_us, tries->count, tries->first_us, tries->last_us,
		tries->open);
	for (size_t i = 0; i < tries->receipt_count; i++)
		strbuf_appendf(&sb, "receipt %s\n", receipt_names[tries->receipts[i]]);
	if (tries->reason) {
		strbuf_append_string(&sb, "reason ");
		utf8_append_escaped(&sb, span_from_string(tries->reason));
		strbuf_append_char(&sb, '\n');
	}
	return frame_save(path, &sb);
}

static int read_reason(const char *value, Tries *tries)
{
	_cleanup_strbuf_ StrBuf raw = STRBUF_INIT;

	utf8_append_unescaped(&raw, span_from_string(value));
	return strbuf_error(&raw) ? -ENOMEM : tries_set_reason(tries, strbuf_text(&raw));
}

static int read_receipt(const char *value, Tries *tries)
{
	Receipt *receipts;
	size_t which = 0;

	while (which < ARRAY_SIZE(receipt_names) && strcmp(value, receipt_names[which]))
		which++;
	if (which == ARRAY_SIZE(receipt_names) || tries->receipt_count == LETTER_RECIPIENTS_MAX)
		return -EBADMSG;
	receipts = array_grow(tries->receipts, tries->receipt_count, sizeof(*receipts));
	if (!receipts)
		return -ENOMEM;
	tries->receipts = receipts;
	receipts[tries->receipt_count++] = (Receipt)which;
	return 0;
}

static int read_tries_line(const char *key, const char *value, Tries *tries)
{
	const struct {
		const char *key;
		int64_t *field;
	} numbers[] = {
		{"created", &tries->created_us},
		{"since", &tries->since_us},
		{"first", &tries->first_us},
		{"last", &tries->last_us},
	};

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!strcmp(key, numbers[i].key))
			return read_number(value, numbers[i].field);
	if (!strcmp(key, "count"))
		return number_parse_u64(span_from_string(value), UINT64_MAX, &tries->count)
			       ? -EBADMSG
			       : 0;
	if (!strcmp(key, "open")) {
		tries->open = !strcmp(value, "1");
		return 0;
	}
	if (!strcmp(key, "receipt"))
		return read_receipt(value, tries);
	return strcmp(key, "reason") ? -EBADMSG : read_reason(value, tries);
}

int tries_load(const char *path, Tries *ret_tries, Why *ret_why)
{
	_cleanup_tries_ Tries tries = TRIES_INIT;
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	size_t at = 0;
	char *line;
	int r = frame_load(path, TRIES_NAME, TRIES_VERSION, &sb, ret_why);

	if (r)
		return r == FRAME_NONE ? TRIES_NONE : r;
	while (!(r = frame_line(&sb, &at, &line)) && line) {
		char *value = strchr(line, ' ');

		if (value)
			*value++ = '\0';
		r = value ? read_tries_line(line, value, &tries) : -EBADMSG;
		if (r)
			break;
	}
	if (r) {
		why_set(ret_why, "%s", r == -EBADMSG ? "a line of it can't be read" : strerror(-r));
		return r;
	}
	*ret_tries = tries;
	tries = TRIES_INIT;
	return 0;
}
