/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "source/sender.h"

#include "base/number.h"

/* The accounts of people: systemd's ranges of regular users and of those with a systemd-homed home. */
#define PERSON_UID_MIN 1000
#define PERSON_UID_MAX 60513

bool sender_is_smtpd(Span identifier)
{
	static const Span name = SPAN_LITERAL("smtpd");
	const char *end = identifier.data + identifier.len;

	return identifier.len >= name.len && !memcmp(end - name.len, name.data, name.len) &&
	       (identifier.len == name.len || end[-(ptrdiff_t)name.len - 1] == '/');
}

bool sender_is_person(Span uid)
{
	uint64_t number;

	return !number_parse_u64(uid, UINT32_MAX, &number) && number >= PERSON_UID_MIN &&
	       number <= PERSON_UID_MAX;
}

bool sender_is_postfix(Span unit)
{
	return span_starts_with(unit, "postfix");
}
