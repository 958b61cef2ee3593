/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * The status file, which anybody may have left there: the input as the file, and behind a first line that is right. What is
 * read is the same after it was written.
 */

#include "fuzz.h"

#include "state/status.h"

static void write_and_check(const Status *status)
{
	_cleanup_strbuf_ StrBuf first = STRBUF_INIT, again = STRBUF_INIT, file = STRBUF_INIT;
	_cleanup_status_ Status back = STATUS_INIT;
	bool running = true;
	Why why = {0};
	char *line;

	HOLDS(status->version && status->log_count <= CHECKPOINT_LOGS_MAX);
	HOLDS(status->warning_count <= STATUS_WARNINGS_MAX);
	status_append(status, &first);
	for (line = first.data; line < first.data + first.len;) {
		char *newline = memchr(line, '\n', (size_t)(first.data + first.len - line));

		HOLDS(newline && fuzz_is_printable((Span){line, (size_t)(newline - line)}));
		line = newline + 1;
	}
	strbuf_append_string(&file, "maillogsentinel-status 1\nwritten 1\n");
	strbuf_append(&file, first.data, first.len);
	strbuf_append_string(&file, "end\n");
	HOLDS(!status_read(fuzz_memory_file(file.data, file.len), &back, &running, &why));
	HOLDS(!running && back.written_us == 1);
	status_append(&back, &again);
	HOLDS(again.len == first.len && !memcmp(again.data, first.data, first.len));
}

static void check_file(Span file)
{
	_cleanup_status_ Status status = STATUS_INIT;
	bool running = true;
	Why why = {0};
	int r = status_read(fuzz_memory_file(file.data, file.len), &status, &running, &why);

	HOLDS(!running);
	if (r)
		HOLDS(r == -EBADMSG && why.text[0]);
	else
		write_and_check(&status);
}

FUZZ_TARGET(status)
{
	_cleanup_strbuf_ StrBuf framed = STRBUF_INIT;
	Span input = fuzz_rest(&(FuzzInput){data, size});

	check_file(input);
	strbuf_append_string(&framed, "maillogsentinel-status 1\nversion 2\n");
	strbuf_append_span(&framed, input);
	strbuf_append_string(&framed, "\nend\n");
	check_file((Span){framed.data, framed.len});
	return 0;
}
