/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "anonymize/scan.h"

#define NUMBERS_MAX 2 /* that stay side by side: three could be most of an address */
#define GAP_MAX 3     /* signs between numbers that stand side by side */

typedef struct Scan {
	const Scanner *scanner;
	StrBuf *sb;
	const char *start, *end;
	const char *copied; /* what is before is in sb */
	bool strict, has_queue_ids;
	bool was_strict; /* from the start */
	unsigned digits_max;

	char closing;     /* all words up to this sign are values; 0: none */
	bool forced;      /* the next word is a value */
	bool quotes;      /* what follows the next ": " comes from a client */
	bool rest;        /* what follows the next ":" was written by somebody */
	bool is_version;  /* a number with two dots may follow */
	StandInKind kind; /* of these values */

	/* The last numbers that stayed. */
	const char *numbers, *numbers_end;
	unsigned number_count;
} Scan;

/* ---- characters -------------------------------------------------------------------------------- */

enum { SIGN = 0, DIGIT = 1, UPPER = 2, LOWER = 4, JOINT = 8, HIGH = 16 };

static const uint8_t classes[256] = {
	['0' ... '9'] = DIGIT,
	['A' ... 'Z'] = UPPER,
	['a' ... 'z'] = LOWER,
	['_'] = JOINT,
	['-'] = JOINT,
	['.'] = JOINT,
	['+'] = JOINT,
	['@'] = JOINT,
	['%'] = JOINT,
	[0x80 ... 0xff] = HIGH,
};

static unsigned class_of(char c)
{
	return classes[(unsigned char)c];
}

static bool is_letter(char c)
{
	return class_of(c) & (UPPER | LOWER);
}

static bool is_digit(char c)
{
	return class_of(c) == DIGIT;
}

static bool is_hex(char c)
{
	return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

/* ---- writing ----------------------------------------------------------------------------------- */

static void copy_until(Scan *s, const char *p)
{
	if (p > s->copied)
		strbuf_append(s->sb, s->copied, (size_t)(p - s->copied));
	s->copied = p;
}

static void replace(Scan *s, const char *from, const char *to, StandInKind kind)
{
	copy_until(s, from);
	standin_append(s->scanner->standins, kind, (Span){from, (size_t)(to - from)}, s->sb);
	s->copied = to;
}

/* ---- what a word looks like -------------------------------------------------------------------- */

/* Letters, digits and "-", "_", with a dot between and a letter in the last label. */
static bool looks_like_host(const char *p, const char *end)
{
	const char *dot = NULL;
	unsigned last = 0;

	for (const char *q = p; q < end; q++) {
		unsigned class = class_of(*q);

		if (*q == '.') {
			dot = q;
			last = 0;
		} else if (class & HIGH || *q == '+' || *q == '%') {
			return false;
		}
		last |= class;
	}
	return dot && dot > p && last & (UPPER | LOWER);
}

/* "4F66E0A1", the short form of Postfix's queue ids; the long one can't be told from other words. */
static bool looks_like_queue_id(const char *p, const char *end)
{
	unsigned seen = 0;

	if (end - p < 6 || end - p > 15)
		return false;
	for (; p < end; p++) {
		if (!is_digit(*p) && (*p < 'A' || *p > 'F'))
			return false;
		seen |= class_of(*p);
	}
	return seen & DIGIT;
}

static bool is_address(const char *p, const char *end)
{
	IpAddr addr;

	return is_digit(*p) && !ipaddr_parse((Span){p, (size_t)(end - p)}, &addr);
}

/* The mark of UTF-8 that stands before a message of RFC 5424. */
static bool is_mark(const char *p, const char *end)
{
	return end - p == 3 && !memcmp(p, "\xef\xbb\xbf", 3);
}

static void replace_by_looks(Scan *s, const char *p, const char *end, StandInKind kind)
{
	const StandIns *standins = s->scanner->standins;

	if (is_mark(p, end))
		return;
	if (kind == STANDIN_TEXT || kind == STANDIN_HOST || kind == STANDIN_USER) {
		if (memchr(p, '@', (size_t)(end - p)))
			kind = STANDIN_MAIL;
		else if (is_address(p, end))
			/* "passwd-file(alice,192.0.2.7)" */
			kind = kind == STANDIN_USER && (p == s->start || p[-1] != ',')
				       ? kind
				       : STANDIN_ADDRESS;
		else if (kind == STANDIN_TEXT && looks_like_host(p, end))
			kind = STANDIN_HOST;
		else if (kind == STANDIN_TEXT && s->has_queue_ids && looks_like_queue_id(p, end))
			kind = STANDIN_QUEUE_ID;
	}
	if (kind == STANDIN_TEXT && !s->closing && !s->forced && standins->keep &&
		standins->keep(standins->userdata, kind, (Span){p, (size_t)(end - p)}))
		return;
	replace(s, p, end, kind);
}

/* ---- numbers ----------------------------------------------------------------------------------- */

static size_t count_digits(const char *p, const char *end)
{
	const char *q = p;

	while (q < end && is_digit(*q))
		q++;
	return (size_t)(q - p);
}

static bool is_unit(const char *p, const char *end)
{
	return end - p <= 2 && end[-1] == 's' && (end - p == 1 || *p == 'm');
}

/*
 * "25", "60s", "0.03", "5.7.1" (RFC 3463), and behind "version" "3.7.11". Returns as how many numbers it counts; 0 for none of these.
 */
static unsigned read_number(const Scan *s, const char *p, const char *end)
{
	size_t digits[3] = {0};
	const char *q = p;
	unsigned n = 0;

	/* "550-5.1.1" of an answer of several lines */
	if (end - p > 4 && p[3] == '-' && count_digits(p, end) == 3)
		q = p += 4;
	for (;;) {
		if (n == ARRAY_SIZE(digits))
			return 0;
		digits[n] = count_digits(q, end);
		if (!digits[n])
			return 0;
		q += digits[n++];
		if (q == end || (n == 1 && is_unit(q, end)))
			break;
		if (*q++ != '.')
			return 0;
	}
	if (n == 1)
		return digits[0] <= s->digits_max;
	if (n == 2)
		return digits[0] <= 4 && digits[1] <= 4 ? 2 : 0;
	if (s->is_version)
		return digits[0] <= 2 && digits[1] <= 2 && digits[2] <= 2;
	return digits[0] == 1 && (*p == '2' || *p == '4' || *p == '5') && digits[1] == 1 &&
	       digits[2] <= 3;
}

/* A number stays unless more stand beside it: four could spell an address. */
static void take_number(Scan *s, const char *p, const char *end, unsigned count)
{
	if (s->numbers_end && p - s->numbers_end <= GAP_MAX) {
		s->number_count += count;
	} else {
		s->numbers = p;
		s->number_count = count;
	}
	s->numbers_end = end;
	/* "[192.0.2.7]:25: 450": a port stands for itself */
	if (p - s->start >= 2 && p[-1] == ':' && p[-2] == ']') {
		s->numbers_end = NULL;
		return;
	}
	if (s->number_count > NUMBERS_MAX)
		replace(s, s->copied > s->numbers ? p : s->numbers, end, STANDIN_TEXT);
}

/* ---- IPv6 -------------------------------------------------------------------------------------- */

/* Behind an IPv6 address that begins at p; NULL when none does. */
static const char *find_v6_end(const char *p, const char *end)
{
	const char *q = p;
	IpAddr addr;

	while (q < end && q - p < IP_TEXT_MAX && (is_hex(*q) || *q == ':' || *q == '.'))
		q++;
	if (q < end && (class_of(*q) & (UPPER | LOWER | HIGH) || *q == '_' || *q == '@'))
		return NULL;
	for (int i = 0; i < 2; i++) {
		if (q > p + 1 && memchr(p, ':', (size_t)(q - p)) &&
			!ipaddr_parse((Span){p, (size_t)(q - p)}, &addr))
			return q;
		/* "2001:db8::7: message", "... 2001:db8::7." */
		if (q > p && (q[-1] == ':' || q[-1] == '.'))
			q--;
	}
	return NULL;
}

/* Replaces the address and leaves its scope out, which is none of the address. NULL when there is none. */
static const char *take_v6(Scan *s, const char *p)
{
	const char *end = find_v6_end(p, s->end);

	if (!end)
		return NULL;
	replace(s, p, end, STANDIN_ADDRESS);
	if (end < s->end && *end == '%') {
		while (end < s->end && class_of(*end) != SIGN)
			end++;
		s->copied = end;
	}
	s->forced = false;
	return end;
}

/* ---- values behind "=" ------------------------------------------------------------------------- */

/* Where "<...>" ends whose inside begins at p: at its ">"; NULL for one that was cut. */
static const char *find_angle(const char *p, const char *end)
{
	const char *last = NULL;

	for (; p < end; p = last + 1) {
		last = memchr(p, '>', (size_t)(end - p));
		if (!last || last + 1 == end || strchr(" ,;:)]>'\"", last[1]))
			return last;
	}
	return last;
}

static const char *take_angle(Scan *s, const char *p, StandInKind kind)
{
	const char *end = find_angle(p + 1, s->end);

	if (!end)
		end = s->end;
	replace(s, p + 1, end, kind);
	return end + (end < s->end);
}

static const char *find_plain_end(const char *p, const char *end, StandInKind kind)
{
	const char *start = p;

	/* a password may hold anything */
	if (kind == STANDIN_TEXT)
		return end;
	while (p < end && (unsigned char)*p > ' ' && !strchr(",;()>\"'", *p)) {
		if (*p == ']')
			return *start == '[' ? p + 1 : p;
		if (*p == '[' && p > start && kind == STANDIN_HOST)
			break;
		p++;
	}
	return p;
}

static bool starts_with(const char *p, const char *end, const char *prefix)
{
	size_t n = strlen(prefix);

	return (size_t)(end - p) >= n && !memcmp(p, prefix, n);
}

/* The last value of a line of Postfix: it has no quotes, and no end but the line's or that of another value of this kind. */
static const char *find_user_end(const char *p, const char *end)
{
	static const char *const trailers[] = {
		", sasl_sender=", ", orig_queue_id=", ", orig_client="};

	for (; p < end; p++)
		for (size_t i = 0; *p == ',' && i < ARRAY_SIZE(trailers); i++)
			if (starts_with(p, end, trailers[i]))
				return p;
	return end;
}

/* What Postfix says for a name that is not known, also at the end of a folded line. */
static bool is_no_name(const char *p, const char *end)
{
	while (end > p && end[-1] == ']')
		end--;
	return end - p == 13 && starts_with(p, end, "(unavailable)");
}

/* The value of a key that names; p is behind the "=". */
static const char *take_value(Scan *s, const char *p, StandInKind kind, bool is_sasl)
{
	const char *end;

	if (p < s->end && *p == '<')
		return take_angle(s, p, kind);
	if (p < s->end && *p == '"') {
		end = memchr(p + 1, '"', (size_t)(s->end - p - 1));
		end = end ? end : s->end;
		replace(s, p + 1, end, kind);
		return end + (end < s->end);
	}
	end = is_sasl ? find_user_end(p, s->end) : find_plain_end(p, s->end, kind);
	if (!is_no_name(p, end))
		replace(s, p, end, kind);
	return end;
}

static const char *take_plain_value(Scan *s, const char *p)
{
	const char *end = p;

	/* "delays=0.01/0/0.2/0": numbers as long as they are, but none of an address */
	for (size_t digits = 0, dots = 0; end < s->end; end++) {
		if (is_digit(*end))
			digits++;
		else if (*end == '.')
			dots++;
		else if (*end == '/')
			digits = dots = 0;
		else
			break;
		if (digits > 12 || dots > 1)
			return p;
	}
	if (end < s->end && class_of(*end) != SIGN)
		return p;
	s->numbers_end = NULL;
	return end;
}

static const char *take_key(Scan *s, const char *p, const char *end)
{
	const VocabularyWord *word = vocabulary_find(s->scanner->vocabulary, p, (size_t)(end - p));
	bool is_sasl = end - p == 13 && !memcmp(p, "sasl_username", 13);

	/* "helo=1" of a summary, "helo=<mx.example>" of a rejected mail */
	if (word->flags & WORD_KEY &&
		(!(word->flags & WORD_PLAIN) || (end + 1 < s->end && end[1] == '<'))) {
		s->forced = false;
		return take_value(s, end + 1, (StandInKind)word->kind, is_sasl);
	}
	if (word->flags & WORD_PLAIN) {
		s->forced = false;
		return take_plain_value(s, end + 1);
	}
	if (s->strict || s->closing || !(word->flags & WORD_KNOWN))
		replace_by_looks(s, p, end, STANDIN_TEXT);
	s->forced = true;
	s->kind = STANDIN_TEXT;
	return end + 1;
}

/* ---- words ------------------------------------------------------------------------------------- */

/* "NAME[ADDRESS]": behind it when the word p..end is such a NAME, else NULL. */
static const char *take_client(Scan *s, const char *p, const char *end)
{
	const char *open = end + 1, *close;
	Span inside;
	IpAddr addr;

	close = memchr(open, ']', MIN((size_t)(s->end - open), (size_t)IP_TEXT_MAX));
	if (!close)
		return NULL;
	inside = (Span){open, (size_t)(close - open)};
	if (!ipaddr_parse(inside, &addr)) {
		replace(s, p, end, STANDIN_HOST);
		replace(s, open, close, STANDIN_ADDRESS);
	} else if (span_equal_string(inside, "unknown")) {
		replace(s, p, end, STANDIN_HOST);
	} else {
		return NULL;
	}
	s->forced = false;
	return close + 1;
}

static bool stays(const Scan *s, const char *p, const VocabularyWord *word)
{
	if (s->closing)
		return false;
	if (s->forced)
		return word->flags & (WORD_COMMON | WORD_FOLLOWS);
	if (p > s->start && p[-1] == '/')
		return word->flags & WORD_PATH;
	return word->flags & (s->strict ? WORD_COMMON | WORD_VERB : WORD_KNOWN);
}

static void heed(Scan *s, const VocabularyWord *word)
{
	s->forced = false;
	if (!(word->flags & (WORD_NAMES | WORD_QUOTES | WORD_REST)) || s->strict)
		return;
	if (word->flags & WORD_NAMES) {
		s->forced = true;
		s->kind = (StandInKind)word->kind;
	}
	s->quotes |= word->flags & WORD_QUOTES;
	s->rest |= word->flags & WORD_REST;
}

/* "(given password: TEXT)" of Dovecot's auth_verbose_passwords: the TEXT may hold anything. Behind it, or q. */
static const char *take_given(Scan *s, const char *p, const char *q)
{
	static const Span given = SPAN_LITERAL("given password");
	const char *end;

	if (p - s->start < 6 || memcmp(p - 6, given.data, given.len) ||
		!starts_with(q, s->end, ": "))
		return q;
	end = memrchr(q, ')', (size_t)(s->end - q));
	end = end ? end : s->end;
	replace(s, q + 2, end, STANDIN_TEXT);
	s->forced = false;
	return end;
}

/* "Nov 22 12:55:02", as anvil(8) writes it: behind it, or NULL. */
static const char *find_stamp_end(const char *p, const char *end)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec",
			  form[] = "### #0 00:00:00";

	if (end - p < (ptrdiff_t)strlen(form) || class_of(*p) != UPPER)
		return NULL;
	for (size_t i = 3; form[i]; i++)
		if (form[i] == '0'       ? !is_digit(p[i])
			: form[i] == '#' ? !is_digit(p[i]) && p[i] != ' '
					 : p[i] != form[i])
			return NULL;
	for (const char *month = months; *month; month += 3)
		if (!memcmp(p, month, 3))
			return p + strlen(form);
	return NULL;
}

static const char *take_word(Scan *s, const char *p)
{
	const char *q = p + 1, *end, *after;
	const VocabularyWord *word;
	unsigned count;
	size_t len;

	while (q < s->end && class_of(*q) != SIGN)
		q++;
	/* "doesn't" */
	if (q + 1 < s->end && *q == '\'' && s->closing != '\'' && is_letter(q[-1]) &&
		is_letter(q[1]))
		for (q++; q < s->end && class_of(*q) != SIGN; q++)
			;
	for (end = q; end > p && class_of(end[-1]) == JOINT; end--)
		;
	while (p < end && class_of(*p) == JOINT && *p != '@')
		p++;
	if (p == end)
		return q;
	if (end == q && q < s->end) {
		after = NULL;
		if (*q == '=')
			return take_key(s, p, end);
		if (*q == ':' && q - p <= 4)
			after = take_v6(s, p);
		else if (*q == '[')
			after = take_client(s, p, end);
		if (after)
			return after;
	}
	len = (size_t)(end - p);
	if (len == 3 && !s->closing && !s->forced) {
		after = find_stamp_end(p, s->end);
		if (after)
			return after;
	}
	if (is_digit(*p) && !s->closing && !s->forced) {
		count = read_number(s, p, end);
		if (count) {
			s->is_version = false;
			take_number(s, p, end, count);
			return q;
		}
	}
	word = vocabulary_find(s->scanner->vocabulary, p, len);
	s->is_version = len == 7 && !memcmp(p, "version", 7);
	if (stays(s, p, word)) {
		heed(s, word);
		return len == 8 ? take_given(s, p, q) : q;
	}
	replace_by_looks(s, p, end, s->closing || s->forced ? s->kind : STANDIN_TEXT);
	s->forced = false;
	return q;
}

/* ---- signs ------------------------------------------------------------------------------------- */

static bool closes_later(const Scan *s, const char *p)
{
	return memchr(p + 1, s->closing, (size_t)(s->end - p - 1));
}

/* All words up to the sign are values. */
static void open_until(Scan *s, const char *p, char closing, StandInKind kind)
{
	s->closing = closing;
	if (closes_later(s, p))
		s->kind = kind;
	else
		s->closing = '\0';
}

/* "imap(alice)<812><Jx0k2m>", "passwd-file(alice,192.0.2.7,<Jx0k2m>)" */
static const char *take_session(Scan *s, const char *p)
{
	const char *end = memchr(p, '>', (size_t)(s->end - p));

	if (!end)
		return p + 1;
	if (p + 1 + count_digits(p + 1, end) < end || end - p > 8)
		replace(s, p + 1, end, STANDIN_SESSION);
	return end + 1;
}

static const char *take_sign(Scan *s, const char *p)
{
	char before = p > s->start ? p[-1] : ' ';
	const char *after;

	if (*p == s->closing) {
		s->closing = '\0';
		s->forced = false;
		return p + 1;
	}
	switch (*p) {
	case '<':
		if (before == ')' || before == '>' || (s->closing == ')' && before == ','))
			return take_session(s, p);
		if (!s->closing)
			open_until(s, p, '>', STANDIN_TEXT);
		break;
	case '"':
		if (!s->closing)
			open_until(s, p, '"', s->forced ? s->kind : STANDIN_TEXT);
		break;
	case '\'':
		if (!s->closing && class_of(before) == SIGN)
			open_until(s, p, '\'', s->forced ? s->kind : STANDIN_TEXT);
		break;
	case '(':
		if (!s->closing && is_letter(before) &&
			!starts_with(p - MIN(6, p - s->start), p, "worker"))
			open_until(s, p, ')', STANDIN_USER);
		break;
	case ':':
		if (p + 1 < s->end && p[1] == ':') {
			after = take_v6(s, p);
			if (after)
				return after;
		}
		s->strict |= s->rest || (s->quotes && p + 1 < s->end && p[1] == ' ');
		break;
	case '\\': /* "EHLO x\r\nQUIT" */
		if (s->strict && p + 1 < s->end && strchr("rnt", p[1]))
			return p + 2;
		break;
	default: break;
	}
	return p + 1;
}

/* ---- text -------------------------------------------------------------------------------------- */

static void scan_until(Scan *s, const char *p, const char *end)
{
	s->end = end;
	while (p < end) {
		if (*p == ' ')
			p++;
		else if (class_of(*p) == SIGN)
			p = take_sign(s, p);
		else
			p = take_word(s, p);
	}
}

static void take_slot(Scan *s, const ScanSlot *slot)
{
	const char *from = s->start + slot->start;

	/* what somebody wrote is over */
	s->forced = s->rest = s->quotes = false;
	s->strict = s->was_strict;
	if (slot->is_kept)
		return;
	copy_until(s, from);
	if (slot->is_quoted)
		strbuf_append_char(s->sb, '"');
	replace(s, from, from + slot->len, slot->kind);
	if (slot->is_quoted)
		strbuf_append_char(s->sb, '"');
}

void scan_text(const Scanner *scanner, const ScanRequest *request, StrBuf *sb)
{
	Scan s = {
		.scanner = scanner,
		.sb = sb,
		.start = request->text.data,
		.copied = request->text.data,
		.strict = request->strict,
		.was_strict = request->strict,
		.has_queue_ids = request->has_queue_ids,
		.digits_max = request->digits_max,
	};
	size_t at = 0;

	for (size_t i = 0; i < request->slot_count; i++) {
		const ScanSlot *slot = &request->slots[i];

		scan_until(&s, s.start + at, s.start + slot->start);
		take_slot(&s, slot);
		at = slot->start + slot->len;
	}
	scan_until(&s, s.start + at, request->text.data + request->text.len);
	copy_until(&s, s.end);
}
