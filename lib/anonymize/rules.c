/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "anonymize/rules.h"

#include <ctype.h>

#include "anonymize/pattern.h"
#include "base/number.h"

#define HOST_MAX ((size_t)255)

typedef struct Rule {
	char *name;
	Pattern *pattern;
	bool keeps;         /* else it replaces */
	StandInKind *kinds; /* of groups 1, 2, ...; STANDIN_KIND_COUNT: of none */
	uint64_t found, gave_up;
} Rule;

/* Sorted texts. */
typedef struct TextSet {
	char **text;
	size_t count;
} TextSet;

typedef struct Network {
	IpAddr address;
	unsigned bits;
} Network;

struct Rules {
	Rule *rule;
	size_t rule_count;
	TextSet words, hosts;
	Network *network;
	size_t network_count;
};

/* What was found in one message. */
typedef struct Finds {
	AnonymizerFind *find;
	size_t count;
	bool full;
} Finds;

int rules_new(Rules **ret_rules)
{
	Rules *rules = calloc(1, sizeof(*rules));

	if (!rules)
		return -ENOMEM;
	*ret_rules = rules;
	return 0;
}

static void set_done(TextSet *set)
{
	for (size_t i = 0; i < set->count; i++)
		free(set->text[i]);
	free(set->text);
}

static void rule_done(Rule *rule)
{
	free(rule->name);
	free(rule->kinds);
	pattern_free(rule->pattern);
}

void rules_free(Rules *rules)
{
	if (!rules)
		return;
	for (size_t i = 0; i < rules->rule_count; i++)
		rule_done(&rules->rule[i]);
	free(rules->rule);
	set_done(&rules->words);
	set_done(&rules->hosts);
	free(rules->network);
	free(rules);
}

/* Where the text is, or has to be. */
static size_t set_place(const TextSet *set, Span text, bool *ret_found)
{
	size_t low = 0, high = set->count;

	*ret_found = false;
	while (low < high) {
		size_t middle = (low + high) / 2, len = strlen(set->text[middle]);
		int order = memcmp(set->text[middle], text.data, MIN(len, text.len));

		if (!order)
			order = (len > text.len) - (len < text.len);
		if (!order) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool set_has(const TextSet *set, Span text)
{
	bool found = false;

	if (set->count && text.len)
		(void)set_place(set, text, &found);
	return found;
}

static int set_add(TextSet *set, Span text, Why *ret_why)
{
	_cleanup_free_ char *copy = span_dup(text);
	bool found;
	size_t at;
	char **grown;

	if (!copy)
		return -ENOMEM;
	at = set_place(set, text, &found);
	if (found)
		return 0;
	if (set->count == RULES_LIST_MAX) {
		why_set(ret_why, "more than %zu", RULES_LIST_MAX);
		return -EINVAL;
	}
	grown = array_grow(set->text, set->count, sizeof(*set->text));
	if (!grown)
		return -ENOMEM;
	set->text = grown;
	memmove(&grown[at + 1], &grown[at], (set->count - at) * sizeof(*grown));
	grown[at] = TAKE(copy);
	set->count++;
	return 0;
}

static int refuse_kind(const char *name, Why *ret_why)
{
	_cleanup_strbuf_ StrBuf kinds = STRBUF_INIT;
	const char *kind;

	for (int i = 0; (kind = standin_kind_name((StandInKind)i)); i++) {
		strbuf_append_string(&kinds, i ? ", " : "");
		/* as the name of a group, which has no "-" */
		for (; *kind; kind++)
			strbuf_append_char(&kinds, *kind == '-' ? '_' : *kind);
	}
	if (strbuf_error(&kinds))
		return strbuf_error(&kinds);
	why_set(ret_why, "(?<%s>...): is no kind of value; those are %s", name,
		strbuf_text(&kinds));
	return -EINVAL;
}

static int read_kinds(Rule *rule, Why *ret_why)
{
	size_t last = pattern_last_group(rule->pattern), named = 0;

	rule->kinds = calloc(last + 1, sizeof(*rule->kinds));
	if (!rule->kinds)
		return -ENOMEM;
	for (size_t i = 1; i <= last; i++) {
		const char *name = pattern_group_name(rule->pattern, i);

		rule->kinds[i - 1] = STANDIN_KIND_COUNT;
		if (!name || *name == '_')
			continue;
		if (standin_kind_parse(span_from_string(name), &rule->kinds[i - 1]))
			return refuse_kind(name, ret_why);
		named++;
	}
	if (!named) {
		why_set(ret_why, "no group says what it holds, such as (?<user>...)");
		return -EINVAL;
	}
	return 0;
}

static int add_rule(Rules *rules, const char *name, const char *pattern, bool keeps, Why *ret_why)
{
	Rule rule = {.keeps = keeps}, *grown;
	int r;

	if (rules->rule_count == RULES_MAX) {
		why_set(ret_why, "more than %zu patterns", RULES_MAX);
		return -EINVAL;
	}
	r = pattern_new(pattern, keeps, &rule.pattern, ret_why);
	if (!r && !keeps)
		r = read_kinds(&rule, ret_why);
	if (!r) {
		grown = array_grow(rules->rule, rules->rule_count, sizeof(rule));
		rule.name = span_dup(span_from_string(name));
		r = grown && rule.name ? 0 : -ENOMEM;
		if (grown)
			rules->rule = grown;
	}
	if (r)
		rule_done(&rule);
	else
		rules->rule[rules->rule_count++] = rule;
	return r;
}

int rules_replace(Rules *rules, const char *name, const char *pattern, Why *ret_why)
{
	return add_rule(rules, name, pattern, false, ret_why);
}

int rules_keep_words_like(Rules *rules, const char *name, const char *pattern, Why *ret_why)
{
	return add_rule(rules, name, pattern, true, ret_why);
}

int rules_keep_word(Rules *rules, const char *word, Why *ret_why)
{
	size_t len = strlen(word);

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)word[i];

		if (c >= 0x80 || isalnum(c) || c == '-' || c == '_' || c == '.')
			continue;
		why_set(ret_why, "\"%s\": a word has letters, digits, - _ and . alone", word);
		return -EINVAL;
	}
	if (!len) {
		why_set(ret_why, "a word is empty");
		return -EINVAL;
	}
	return set_add(&rules->words, (Span){word, len}, ret_why);
}

/* In lower case and without the dot at the end; false when it is too long. */
static bool fold_host(Span host, char text[HOST_MAX + 1], Span *ret_folded)
{
	if (host.len && host.data[host.len - 1] == '.')
		host.len--;
	if (!host.len || host.len > HOST_MAX)
		return false;
	for (size_t i = 0; i < host.len; i++)
		text[i] = (char)tolower((unsigned char)host.data[i]);
	*ret_folded = (Span){text, host.len};
	return true;
}

int rules_keep_host(Rules *rules, const char *host, Why *ret_why)
{
	char text[HOST_MAX + 1];
	Span folded = SPAN_MISSING;
	IpAddr address;
	bool valid = fold_host(span_from_string(host), text, &folded) && folded.data[0] != '-';

	if (!ipaddr_parse(span_from_string(host), &address)) {
		why_set(ret_why, "\"%s\": an address belongs in networks", host);
		return -EINVAL;
	}
	for (size_t i = 0; valid && i < folded.len; i++) {
		unsigned char c = (unsigned char)folded.data[i];

		valid = c >= 0x80 || isalnum(c) || c == '-' || c == '_' ||
			(c == '.' && i + 1 < folded.len && folded.data[i + 1] != '.');
	}
	if (!valid) {
		why_set(ret_why, "\"%s\": is no host name", host);
		return -EINVAL;
	}
	return set_add(&rules->hosts, folded, ret_why);
}

static bool in_network(const Network *network, const IpAddr *address)
{
	size_t whole = network->bits / 8;
	unsigned rest = network->bits % 8;

	if (address->family != network->address.family ||
		memcmp(address->bytes, network->address.bytes, whole) != 0)
		return false;
	return !rest || !((address->bytes[whole] ^ network->address.bytes[whole]) >> (8 - rest));
}

int rules_keep_network(Rules *rules, const char *network, Why *ret_why)
{
	const char *slash = strchr(network, '/');
	size_t len = slash ? (size_t)(slash - network) : strlen(network);
	Network added = {0}, *grown;
	uint64_t bits = 0;
	IpAddr first = {0};

	if (ipaddr_parse((Span){network, len}, &added.address)) {
		why_set(ret_why, "\"%s\": is neither an address nor ADDRESS/BITS", network);
		return -EINVAL;
	}
	added.bits = added.address.family == IP_V4 ? 32 : 128;
	if (slash) {
		if (number_parse_u64(span_from_string(slash + 1), added.bits, &bits)) {
			why_set(ret_why, "\"%s\": wants 0 to %u bits", network, added.bits);
			return -EINVAL;
		}
		added.bits = (unsigned)bits;
	}
	/* 192.0.2.7/24 is a slip: of /32 or of 192.0.2.0? */
	first.family = added.address.family;
	memcpy(first.bytes, added.address.bytes, added.bits / 8);
	if (added.bits % 8)
		first.bytes[added.bits / 8] = (uint8_t)(added.address.bytes[added.bits / 8] &
							(0xff << (8 - added.bits % 8)));
	if (!ipaddr_equal(&first, &added.address)) {
		why_set(ret_why, "\"%s\": has bits behind its first %u", network, added.bits);
		return -EINVAL;
	}
	if (rules->network_count == RULES_LIST_MAX) {
		why_set(ret_why, "more than %zu", RULES_LIST_MAX);
		return -EINVAL;
	}
	grown = array_grow(rules->network, rules->network_count, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	rules->network = grown;
	rules->network[rules->network_count++] = added;
	return 0;
}

static void insert_find(Finds *finds, size_t at, AnonymizerFind find)
{
	if (finds->count == ANONYMIZER_FINDS_MAX) {
		finds->full = true;
		return;
	}
	memmove(&finds->find[at + 1], &finds->find[at], (finds->count - at) * sizeof(*finds->find));
	finds->find[at] = find;
	finds->count++;
}

/* Adds those of the bytes that are nobody's yet. */
static void add_find(Finds *finds, size_t start, size_t end, StandInKind kind)
{
	for (size_t i = 0; start < end && !finds->full; i++) {
		AnonymizerFind next = {end, 0, kind};
		size_t stop;

		if (i < finds->count)
			next = finds->find[i];
		if (next.start + next.len <= start)
			continue;
		stop = MIN(end, next.start);
		if (start < stop)
			insert_find(finds, i++, (AnonymizerFind){start, stop - start, kind});
		start = next.start + next.len;
	}
}

static bool search(Rule *rule, Span message, Finds *finds)
{
	size_t offset = 0, end, start, last = pattern_last_group(rule->pattern);
	bool not_empty = false, empty;
	int r;

	while (offset <= message.len && !finds->full) {
		r = pattern_search(rule->pattern, message, offset, not_empty);
		if (r == PATTERN_GAVE_UP)
			rule->gave_up++;
		if (r)
			return r == PATTERN_NONE;
		for (size_t group = 1; group <= last; group++) {
			if (rule->kinds[group - 1] == STANDIN_KIND_COUNT ||
				!pattern_group(rule->pattern, group, &start, &end))
				continue;
			rule->found++;
			add_find(finds, start, end, rule->kinds[group - 1]);
		}
		empty = !pattern_group(rule->pattern, 0, &start, &end);
		end = pattern_end(rule->pattern);
		/* Of matches of nothing there is one at each place. */
		if (end == offset && (not_empty || !empty))
			end++;
		not_empty = empty;
		offset = end;
	}
	return !finds->full;
}

static int find_values(void *userdata, Span message, AnonymizerFind found[ANONYMIZER_FINDS_MAX])
{
	Rules *rules = userdata;
	Finds finds = {.find = found};

	for (size_t i = 0; i < rules->rule_count; i++)
		if (!rules->rule[i].keeps && !search(&rules->rule[i], message, &finds))
			return -1;
	return (int)finds.count;
}

static bool keeps_word(Rules *rules, Span word)
{
	if (set_has(&rules->words, word))
		return true;
	for (size_t i = 0; i < rules->rule_count; i++) {
		Rule *rule = &rules->rule[i];
		int r = rule->keeps ? pattern_search(rule->pattern, word, 0, false) : PATTERN_NONE;

		rule->found += !r;
		rule->gave_up += r == PATTERN_GAVE_UP;
		if (!r)
			return true;
	}
	return false;
}

/* How many of the host's last bytes stay. */
static size_t kept_of_host(const Rules *rules, Span host)
{
	char text[HOST_MAX + 1];
	Span folded = SPAN_MISSING;

	if (!rules->hosts.count || !fold_host(host, text, &folded))
		return 0;
	if (set_has(&rules->hosts, folded))
		return host.len;
	for (size_t i = 1; i < folded.len; i++)
		if (text[i] == '.' && set_has(&rules->hosts, (Span){text + i, folded.len - i}))
			return host.len - i;
	return 0;
}

static bool keeps_address(const Rules *rules, Span text)
{
	IpAddr address;

	if (!rules->network_count || ipaddr_parse(text, &address))
		return false;
	for (size_t i = 0; i < rules->network_count; i++)
		if (in_network(&rules->network[i], &address))
			return true;
	return false;
}

static size_t keep_value(void *userdata, StandInKind kind, Span value)
{
	Rules *rules = userdata;

	switch (kind) {
	case STANDIN_TEXT: return keeps_word(rules, value) ? value.len : 0;
	case STANDIN_HOST: return kept_of_host(rules, value);
	case STANDIN_ADDRESS: return keeps_address(rules, value) ? value.len : 0;
	default: return 0;
	}
}

void rules_apply(Rules *rules, AnonymizerOptions *options)
{
	options->find = find_values;
	options->keep = keep_value;
	options->userdata = rules;
}

bool rules_count(const Rules *rules, size_t i, RuleCount *ret_count)
{
	const Rule *rule;

	if (i >= rules->rule_count)
		return false;
	rule = &rules->rule[i];
	*ret_count = (RuleCount){rule->name, rule->keeps, rule->found, rule->gave_up};
	return true;
}
