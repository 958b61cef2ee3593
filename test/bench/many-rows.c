/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "many-rows.h"
#include "base/file.h"
#include "scratch.h"
#include "state/checkpoint.h"
#include "store/csv.h"

#include <math.h>

#define ADDRESSES 10000
#define USERS 50000
#define DAY "2026-11-23"

static uint32_t choose(Random *random, uint32_t count, bool even)
{
	if (even)
		return random_below(random, count);
	return (uint32_t)pow(count, random_below(random, 1 << 30) / (double)(1 << 30)) - 1;
}

static void append_row(Random *random, int hour, int minute, bool even, StrBuf *sb)
{
	uint32_t a = choose(random, ADDRESSES, even), u = choose(random, USERS, even);
	char date[32], ip[32], user[64], host[64], asn[16], organisation[64];
	Row row;

	(void)snprintf(date, sizeof(date), DAY " %02d:%02d", hour, minute);
	(void)snprintf(ip, sizeof(ip), "%u.%u.%u.%u", 1 + a % 200, a / 7 % 256, a / 256, a % 256);
	(void)snprintf(user, sizeof(user), "user%u@example.org", u);
	(void)snprintf(host, sizeof(host), "host-%u.pool.example.net", a);
	(void)snprintf(asn, sizeof(asn), "%u", 1000 + a % 3000);
	(void)snprintf(organisation, sizeof(organisation), "Network Number %u, Ltd.", a % 3000);
	row = (Row){{SPAN_LITERAL("mail"), span_from_string(date), span_from_string(ip),
		span_from_string(user), a % 3 ? span_from_string(host) : SPAN_MISSING,
		a % 3 ? SPAN_LITERAL("OK") : SPAN_LITERAL("Errno 1"),
		(Span){&"USCNRUDEFRBRINVN"[a % 8 * 2], 2}, span_from_string(asn),
		span_from_string(organisation)}};
	csv_append_row(sb, &row);
}

void many_rows_write(Random *random, const char *dir, const char *name, uint32_t rows, bool even)
{
	_cleanup_free_ char *checkpoint_path = file_join_dup(dir, "state.offset");
	_cleanup_checkpoint_ Checkpoint cp = CHECKPOINT_INIT;
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	_cleanup_close_ int fd = -1;

	cp.csv_path = file_join_dup(dir, name);
	cp.csv_series = random_next(random);
	MUST(checkpoint_path && cp.csv_path);
	fd = open(cp.csv_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	MUST(fd >= 0);
	strbuf_append_span(&sb, csv_header());
	for (uint32_t i = 0; i < rows; i++) {
		append_row(random, (int)((uint64_t)i * 24 / rows), (int)(i % 60), even, &sb);
		if (sb.len > 1 << 20 || i + 1 == rows) {
			MUST(!strbuf_error(&sb) && !file_write_full(fd, sb.data, sb.len));
			strbuf_reset(&sb);
		}
	}
	MUST(!mark_from_fd(fd, (uint64_t)lseek(fd, 0, SEEK_END), &cp.csv));
	MUST(!checkpoint_save(checkpoint_path, &cp));
}
