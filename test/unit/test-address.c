/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/address.h"

#include "tap.h"

#define TEN "abcdefghij"
#define SIXTY TEN TEN TEN TEN TEN TEN

static const struct {
	const char *address;
	const char *why; /* NULL: it is one */
} rows[] = {
	{"root", NULL},
	{"alice@example.com", NULL},
	{"a@b", NULL},
	{"a.b.c@example.com", NULL},
	{"alice+tag@sub.example.co.uk", NULL},
	{"!#$%&'*+-/=?^_`{|}~@example.com", NULL},
	{"-oQ/tmp@example.com", NULL},
	{"alice@1and1.example", NULL},
	{"alice@xn--bcher-kva.example", NULL},
	{"alice@192.0.2.1", NULL},
	{"alice@[192.0.2.1]", NULL},
	{"alice@[IPv6:2001:db8::1]", NULL},
	{"\"alice b\"@example.com", NULL},
	{"\"a@b\"@example.com", NULL},
	{"\"a\\\"b\\\\\"@example.com", NULL},
	{"\"\"@example.com", NULL},
	{"\"<script>\"", NULL},
	{SIXTY "abcd@example.com", NULL},
	{"a@" SIXTY "abc.example", NULL},
	{"a@" SIXTY "." SIXTY "." SIXTY "." SIXTY "." TEN "k", "is longer than 254 bytes"},
	{"a@" SIXTY "." SIXTY "." SIXTY "." SIXTY ".abcdefgh", NULL},
	{"a@" SIXTY "abcd.example", "has no domain behind its @"},
	{SIXTY "abcde@example.com", "has more than 64 bytes before the @"},
	{SIXTY "abcde", "has more than 64 bytes before the @"},
	{"", "is empty"},
	{" ", "names nobody before the @"},
	{"@", "names nobody before the @"},
	{"@example.com", "names nobody before the @"},
	{"alice@", "names no domain behind the @"},
	{"alice@.", "has no domain behind its @"},
	{"alice@example.", "has no domain behind its @"},
	{"alice@.example", "has no domain behind its @"},
	{"alice@a..b", "has no domain behind its @"},
	{"alice@-a.example", "has no domain behind its @"},
	{"alice@a-.example", "has no domain behind its @"},
	{"alice@a_b.example", "has no domain behind its @"},
	{"alice@example.com@example.org", "has no domain behind its @"},
	{"alice@example.com>", "has no domain behind its @"},
	{"alice@example.com, bob@example.com", "has no domain behind its @"},
	{".alice@example.com", "has a dot in a place that is not for one"},
	{"alice.@example.com", "has a dot in a place that is not for one"},
	{"a..b@example.com", "has a dot in a place that is not for one"},
	{"alice b@example.com", "holds a blank"},
	{" alice@example.com", "names nobody before the @"},
	{"alice@example.com ", "has no domain behind its @"},
	{"Alice <alice@example.com>", "holds a blank"},
	{"<alice@example.com>", "names nobody before the @"},
	{"alice,bob", "is not of the form NAME@DOMAIN"},
	{"alice\\@example.com", "is not of the form NAME@DOMAIN"},
	{"\"alice@example.com", "has no closing quote"},
	{"\"alice\\\"@example.com", "has no closing quote"},
	{"\"alice\\", "has no closing quote"},
	{"\"alice\"b@example.com", "is not of the form NAME@DOMAIN"},
	{"alice@[]", "has no [192.0.2.1] or [IPv6:2001:db8::1] in its brackets"},
	{"alice@[", "has no ] at its end"},
	{"alice@[192.0.2.1", "has no ] at its end"},
	{"alice@[2001:db8::1]", "has no [192.0.2.1] or [IPv6:2001:db8::1] in its brackets"},
	{"alice@[IPv6:192.0.2.1]", "has no [192.0.2.1] or [IPv6:2001:db8::1] in its brackets"},
	{"alice@[unknown]", "has no [192.0.2.1] or [IPv6:2001:db8::1] in its brackets"},
	{"alice@example.com\r\nRCPT TO:<bob@example.com>", "holds a control byte"},
	{"alice\n@example.com", "holds a control byte"},
	{"\"a\tb\"@example.com", "holds a control byte"},
	{"alice\x7f@example.com", "holds a control byte"},
	{"jos\xc3\xa9@example.com",
		"holds what is not ASCII (a domain has an ASCII form, xn--...)"},
	{"alice@b\xc3\xbc"
	 "cher.example",
		"holds what is not ASCII (a domain has an ASCII form, xn--...)"},
};

int main(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		Why why = {""};
		int r = address_check(rows[i].address, &why);

		if (!tap_ok(r == (rows[i].why ? -EINVAL : 0) &&
				    !strcmp(why.text, rows[i].why ? rows[i].why : ""),
			    "row %zu", i))
			tap_note("'%s': %d, %s", rows[i].address, r, why.text);
	}
	tap_ok(address_check("a b", NULL) == -EINVAL, "nobody needs to ask why");
	return tap_done();
}
