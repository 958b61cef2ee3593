/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/geodb-csv.h"

#include "base/digest.h"

#define BLOCK_SIZE ((size_t)256 * 1024)
#define REJECTED_PER_MILLE_MAX 1
#define FIELDS_MAX 5 /* one more than any row that is read needs, so that a surplus shows */

typedef struct Reader {
	GeoRows *rows;
	Digest *digest;
	uint64_t line;
	uint64_t rejected_line; /* the first one, and why */
	const char *rejected_reason;
	bool cut_off;   /* the last line has no end */
	bool skipping;  /* in a line that is too long, up to its end */
	char *block;    /* what was read and not yet taken: a piece of a line, then a block */
	char *unquoted; /* the fields of one line that were quoted, without the quotes */
} Reader;

/* What a parse function found wrong with a row: words for people; NULL when all is well. */
typedef const char *Reason;

static const char *take_quoted(const char *p, const char *end, char **unquoted, Span *ret_field)
{
	char *to = *unquoted;

	for (p++; p < end; p++) {
		if (*p == '"') {
			if (p + 1 == end || p[1] != '"')
				break;
			p++;
		}
		*to++ = *p;
	}
	if (p == end)
		return NULL;
	*ret_field = (Span){*unquoted, (size_t)(to - *unquoted)};
	*unquoted = to;
	return p + 1;
}

/* Cuts a line into fields; those beyond FIELDS_MAX are not looked at. */
static Reason split(
	const char *p, const char *end, char *unquoted, Span fields[FIELDS_MAX], size_t *ret_count)
{
	size_t n = 0;

	for (;;) {
		if (p < end && *p == '"') {
			p = take_quoted(p, end, &unquoted, &fields[n]);
			if (!p)
				return "a quote is not closed";
			if (p < end && *p != ',')
				return "text after a quoted field";
		} else {
			const char *start = p;

			while (p < end && *p != ',')
				p++;
			fields[n] = (Span){start, (size_t)(p - start)};
		}
		n++;
		if (p == end || n == FIELDS_MAX)
			break;
		p++;
	}
	*ret_count = n;
	return NULL;
}

static bool is_decimal(Span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
	return text.len > 0;
}

/* A decimal number of up to 128 bits, nine digits at a time, in four 32-bit words. */
static bool parse_decimal(Span text, IpKey *ret_number)
{
	uint32_t words[4] = {0}; /* lowest first */
	size_t i = 0;

	if (!is_decimal(text) || text.len > 39)
		return false;
	while (i < text.len) {
		uint32_t scale = 1;
		uint64_t carry = 0;

		do {
			scale *= 10;
			carry = carry * 10 + (uint64_t)(text.data[i++] - '0');
		} while (i < text.len && scale < 1000000000);
		for (size_t w = 0; w < ARRAY_SIZE(words); w++) {
			carry += (uint64_t)words[w] * scale;
			words[w] = (uint32_t)carry;
			carry >>= 32;
		}
		if (carry)
			return false;
	}
	*ret_number = (IpKey){
		(uint64_t)words[3] << 32 | words[2],
		(uint64_t)words[1] << 32 | words[0],
	};
	return true;
}

/* ::ffff:0:0/96 as numbers: IPv4, as everywhere in this program. */
#define MAPPED_FIRST 0xffff00000000ULL
#define MAPPED_LAST 0xffffffffffffULL

static bool parse_address(Span text, IpFamily *ret_family, IpKey *ret_number)
{
	IpAddr addr;
	IpKey number;

	if (!is_decimal(text)) {
		if (ipaddr_parse(text, &addr) < 0)
			return false;
		*ret_family = addr.family;
		*ret_number = ipkey_from_addr(&addr);
		return true;
	}
	if (!parse_decimal(text, &number))
		return false;
	*ret_family = number.hi || number.lo > UINT32_MAX ? IP_V6 : IP_V4;
	if (!number.hi && number.lo >= MAPPED_FIRST && number.lo <= MAPPED_LAST) {
		*ret_family = IP_V4;
		number.lo -= MAPPED_FIRST;
	}
	*ret_number = number;
	return true;
}

static Reason parse_asn(
	GeoRows *rows, const Span *fields, size_t count, uint32_t *ret_value, int *ret_error)
{
	Span organisation = count > 3 ? fields[3] : SPAN_MISSING;
	IpKey asn = IPKEY_ZERO;

	if (count > 4)
		return "more than four fields";
	if (fields[2].len && !span_equal_string(fields[2], "-")) {
		if (!parse_decimal(fields[2], &asn))
			return "the ASN is not a number";
		if (asn.hi || asn.lo > UINT32_MAX)
			return "the ASN is above 4294967295";
	}
	*ret_error = geo_network_value(rows, (uint32_t)asn.lo, organisation, ret_value);
	return NULL;
}

static Reason parse_row(
	GeoRows *rows, const char *p, const char *end, char *unquoted, int *ret_error)
{
	Span fields[FIELDS_MAX];
	IpFamily first_family, last_family;
	IpKey first, last;
	uint32_t value = 0;
	size_t count = 0;
	Reason reason = split(p, end, unquoted, fields, &count);

	if (reason)
		return reason;
	if (count < 3)
		return "fewer than three fields";
	if (!parse_address(fields[0], &first_family, &first))
		return "the start is not an address";
	if (!parse_address(fields[1], &last_family, &last))
		return "the end is not an address";
	if (first_family != last_family)
		return "start and end are of different families";
	if (ipkey_less(last, first))
		return "the end is before the start";
	if (rows->kind == GEO_ASN)
		reason = parse_asn(rows, fields, count, &value, ret_error);
	else if (geo_country_value(fields[2], &value) < 0)
		reason = "the country code is not two letters";
	if (!reason && !*ret_error)
		*ret_error = geo_rows_add(rows, first_family, first, last, value);
	return reason;
}

/*
 * Names of columns: "start_ip,end_ip,country_code". No address begins with a letter and has no
 * colon.
 */
static bool is_header(const char *p, const char *end, char *unquoted)
{
	Span fields[FIELDS_MAX];
	size_t count;
	char c;

	if (split(p, end, unquoted, fields, &count) || count < 3 || !fields[0].len)
		return false;
	c = (char)(fields[0].data[0] | 0x20);
	return c >= 'a' && c <= 'z' && !memchr(fields[0].data, ':', fields[0].len);
}

static bool starts_with_bom(const char *p, size_t len)
{
	return len >= 3 && !memcmp(p, "\xef\xbb\xbf", 3);
}

static void reject(Reader *reader, Reason reason)
{
	if (!reader->rows->rejected++) {
		reader->rejected_line = reader->line;
		reader->rejected_reason = reason;
	}
}

/* One line, without its LF. */
static int take_line(Reader *reader, const char *p, const char *end)
{
	Reason reason;
	int error = 0;

	reader->line++;
	if (reader->skipping || end - p > GEODB_CSV_LINE_MAX) {
		reader->skipping = false;
		reject(reader, "the line is too long");
		return 0;
	}
	if (p < end && end[-1] == '\r')
		end--;
	if (reader->line == 1) {
		if (starts_with_bom(p, (size_t)(end - p)))
			p += 3;
		if (is_header(p, end, reader->unquoted))
			return 0;
	}
	if (p == end)
		return 0;
	reason = parse_row(reader->rows, p, end, reader->unquoted, &error);
	if (reason)
		reject(reader, reason);
	return error;
}

/*
 * Takes the lines that are complete; returns how many bytes are left of the one that isn't, or
 * -errno.
 */
static ssize_t take_lines(Reader *reader, const char *p, size_t len)
{
	const char *end = p + len, *newline;

	while (p < end && (newline = memchr(p, '\n', (size_t)(end - p)))) {
		int r = take_line(reader, p, newline);

		if (r < 0)
			return r;
		p = newline + 1;
	}
	return end - p;
}

static bool looks_like_markup(const char *p, size_t len)
{
	size_t i = starts_with_bom(p, len) ? 3 : 0;

	while (i < len && (p[i] == ' ' || p[i] == '\t' || p[i] == '\r' || p[i] == '\n'))
		i++;
	return i < len && p[i] == '<';
}

static int read_lines(Reader *reader, int fd, Why *ret_why)
{
	size_t kept = 0;
	bool first = true;

	for (;;) {
		ssize_t n = read(fd, reader->block + kept, BLOCK_SIZE), left;
		size_t len;

		if (n < 0) {
			if (errno == EINTR)
				continue;
			n = -errno;
			why_set(ret_why, "%s", strerror(errno));
			return (int)n;
		}
		if (!n)
			break;
		digest_add(reader->digest, reader->block + kept, (size_t)n);
		reader->rows->size_bytes += (uint64_t)n;
		/* What a server sends with status 200 when it has no file. */
		if (first && looks_like_markup(reader->block, (size_t)n)) {
			why_set(ret_why, "this is an HTML or XML page, not a database");
			return -EBADMSG;
		}
		first = false;
		len = kept + (size_t)n;
		left = take_lines(reader, reader->block, len);
		if (left < 0) {
			why_set(ret_why, "line %llu: %s", (unsigned long long)reader->line,
				left == -EFBIG ? "too many rows" : strerror((int)-left));
			return (int)left;
		}
		kept = (size_t)left;
		if (kept > GEODB_CSV_LINE_MAX) {
			reader->skipping = true;
			kept = 1;
		}
		memmove(reader->block, reader->block + len - kept, kept);
	}
	reader->cut_off = kept > 0;
	return 0;
}

int geodb_csv_read(int fd, GeoRows *rows, Why *ret_why)
{
	_cleanup_free_ char *block = malloc(GEODB_CSV_LINE_MAX + BLOCK_SIZE);
	_cleanup_free_ char *unquoted = malloc(GEODB_CSV_LINE_MAX + BLOCK_SIZE);
	_cleanup_(digest_freep) Digest *digest = NULL;
	Reader reader = {.rows = rows, .block = block, .unquoted = unquoted};
	uint64_t total;
	int r = digest_new(&digest);

	if (r < 0 || !block || !unquoted) {
		why_set(ret_why, "%s", strerror(ENOMEM));
		return -ENOMEM;
	}
	reader.digest = digest;
	r = read_lines(&reader, fd, ret_why);
	if (r < 0)
		return r;
	rows->hash = digest_get(digest);
	total = rows->rows + rows->rejected;
	if (rows->rejected * 1000 > total * REJECTED_PER_MILLE_MAX) {
		why_set(ret_why, "line %llu: %s (%llu of %llu rows are not understood)",
			(unsigned long long)reader.rejected_line, reader.rejected_reason,
			(unsigned long long)rows->rejected, (unsigned long long)total);
		return -EBADMSG;
	}
	if (reader.cut_off) {
		why_set(ret_why, "line %llu has no end: the file is cut off",
			(unsigned long long)reader.line + 1);
		return -EBADMSG;
	}
	if (!rows->rows) {
		why_set(ret_why, "there are no rows in it");
		return -EBADMSG;
	}
	return 0;
}
