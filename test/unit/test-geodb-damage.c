/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * What others may do to an image, before and while it is mapped: 10,000 times random damage, once as it is, which is never
 * accepted, and once with a seal that fits, which must do no harm; files that are cut or overwritten under the reader.
 */

#include "base/digest.h"
#include "enrich/geodb-image.h"
#include "geodb-tools.h"
#include "scratch.h"
#include "tap.h"

#define IMAGE "ip.image"
#define PROBES_MAX 1024U

static const GeoPaths paths = {{"country", "asn"}};
static bool small;
static StrBuf whole; /* the image as it should be */
static IpAddr probes[PROBES_MAX];
static size_t probe_count;

typedef struct Answer {
	char country_code[3];
	uint32_t asn;
	char *organisation, *text;
} Answer;

static Answer expected[PROBES_MAX];

static void add_probe(const char *text)
{
	MUST(probe_count < PROBES_MAX);
	MUST(!ipaddr_parse(span_from_string(text), &probes[probe_count++]));
}

/* Not the time of now: the image is the same in each run. */
static void set_time(const char *path, int64_t mtime_ns)
{
	struct timespec time = {mtime_ns / 1000000000, mtime_ns % 1000000000};

	MUST(!utimensat(AT_FDCWD, path, (const struct timespec[2]){time, time}, 0));
}

/* Ranges of both families at each depth: whole chunks, in sites, in subnets; their borders are probes. */
static void write_databases(void)
{
	static const struct {
		const char *before, *after;
	} depths[] = {{"2a", "::"}, {"2a00:", "::"}, {"2a00:1:", "::"}, {"2a00:1:2:3::", ""}};
	_cleanup_strbuf_ StrBuf country = STRBUF_INIT, asn = STRBUF_INIT;

	for (unsigned i = 0; i < 60; i++) {
		char ends[2][64], v4[2][64];

		for (unsigned end = 0; end < 2; end++) {
			(void)snprintf(v4[end], sizeof(v4[end]), "%u.%u.%u.%u", 20 + i / 10, i % 3,
				i * 4 + end * 3, end ? 255 : i);
			add_probe(v4[end]);
			(void)snprintf(ends[end], sizeof(ends[end]), "%s%x%s", depths[i % 4].before,
				100 + i + end, depths[i % 4].after);
			add_probe(ends[end]);
		}
		strbuf_appendf(&country, "%s,%s,%c%c\n%s,%s,DE\n", v4[0], v4[1], 'A' + i % 26,
			'A' + i % 7, ends[0], ends[1]);
		strbuf_appendf(&asn, "%s,%s,%u,\"Name \"\"%u\"\"\"\n%s,%s,%u,Plain %u\n", v4[0],
			v4[1], 1000 + i, i, ends[0], ends[1], 2000 + i, i);
	}
	add_probe("19.0.0.0");
	add_probe("223.255.255.255");
	add_probe("2a01::");
	add_probe("2a00:1:2:3:4::");
	add_probe("3000::");
	scratch_write("country", country.data, country.len);
	scratch_write("asn", asn.data, asn.len);
	set_time("country", 1750000000000000000);
	set_time("asn", 1750000000000000000);
}

/* Reads every byte that the record borrows. */
static Answer take_answer(const GeoRecord *record)
{
	Answer answer = {.asn = record->asn};

	memcpy(answer.country_code, record->country_code, sizeof(answer.country_code));
	answer.organisation = span_dup(record->organisation);
	answer.text = span_dup(record->text);
	MUST(answer.organisation && answer.text);
	return answer;
}

static void forget_answer(Answer *answer)
{
	free(answer->organisation);
	free(answer->text);
}

enum { RIGHT, UNKNOWN, WRONG };

static int ask(const GeoDb *db, size_t probe)
{
	const Answer *right = &expected[probe];
	GeoRecord record;
	Answer answer;
	bool same, unknown;

	geodb_lookup(db, &probes[probe], &record);
	answer = take_answer(&record);
	same = !strcmp(answer.country_code, right->country_code) && answer.asn == right->asn &&
	       !strcmp(answer.organisation, right->organisation) &&
	       !strcmp(answer.text, right->text);
	unknown = !*record.country_code && !record.asn && !record.organisation.data &&
		  !record.text.data;
	forget_answer(&answer);
	return same ? RIGHT : unknown ? UNKNOWN : WRONG;
}

static void prepare(void)
{
	GeoDb *db = NULL;
	Why why = {0};
	size_t known = 0;

	write_databases();
	MUST(!geodb_build(&paths, &geo_csv_text, &db, &why));
	for (size_t i = 0; i < probe_count; i++) {
		GeoRecord record;

		geodb_lookup(db, &probes[i], &record);
		expected[i] = take_answer(&record);
		known += record.asn != 0;
	}
	MUST(!geodb_save(db, IMAGE));
	geodb_free(db);
	whole = scratch_read(IMAGE);
	tap_ok(known >= 180, "%zu of %zu probes are known", known, probe_count);
}

static int load(GeoDb **ret_db, Why *ret_why)
{
	return geodb_load(IMAGE, &paths, &geo_csv_text, ret_db, ret_why);
}

/* ---- random damage ---- */

/* Where damage tells: one of the arrays, or the header; of a root the part that the probes use. */
static size_t random_place(void)
{
	const GeoImage *header = (const GeoImage *)whole.data;
	const struct {
		BlockArray array;
		size_t element_size;
	} parts[] = {
		{{0, sizeof(GeoImage)}, 1},
		{header->trie.v4_root, 4},
		{header->trie.v4_chunks, 4},
		{header->trie.v6_root, 4},
		{header->trie.v6_sample, 4},
		{header->trie.v6_key, 4},
		{header->trie.v6_value, 4},
		{header->trie.site_root, 4},
		{header->trie.site_key, 2},
		{header->trie.site_value, 4},
		{header->trie.subnet_root, 4},
		{header->trie.subnet_key, 8},
		{header->trie.subnet_value, 4},
		{header->payloads, sizeof(GeoPayload)},
		{header->text, 1},
	};
	size_t part = random_below(ARRAY_SIZE(parts)), at;

	if (part == 1 || part == 3) {
		const IpAddr *probe = &probes[random_below((uint32_t)probe_count)];

		if ((probe->family == IP_V4) == (part == 1)) {
			at = ((size_t)probe->bytes[0] << 8 | probe->bytes[1]) * 4;
			return parts[part].array.offset + at + random_below(8);
		}
	}
	at = random_below((uint32_t)(parts[part].array.count * parts[part].element_size));
	return parts[part].array.offset + at;
}

/* One to four places in which some bytes become others. */
static void damage(char *image)
{
	static const char much[] = {0, 1, 127, -128, -1};

	for (uint32_t n = 1 + random_below(4); n; n--) {
		size_t at = random_place(), len = 1 + random_below(8);

		for (; len && at < whole.len; len--, at++)
			image[at] = random_below(2) ? much[random_below(ARRAY_SIZE(much))]
						    : (char)(image[at] ^ 1 << random_below(8));
	}
}

static void write_image(const char *image)
{
	int fd = open(IMAGE, O_WRONLY | O_CLOEXEC);

	MUST(fd >= 0 && pwrite(fd, image, whole.len, 0) == (ssize_t)whole.len);
	(void)close(fd);
}

static void mend_seal(char *image)
{
	uint64_t seal = geo_image_seal(digest_bytes(image, whole.len - sizeof(seal)));

	memcpy(image + whole.len - sizeof(seal), &seal, sizeof(seal));
}

static void test_random_damage(bool mended)
{
	const unsigned rounds = small ? 300 : 10000;
	_cleanup_free_ char *image = malloc(whole.len);
	unsigned accepted = 0, odd = 0, answers[3] = {0};

	MUST(image);
	for (unsigned i = 0; i < rounds; i++) {
		_cleanup_(geodb_freep) GeoDb *db = NULL;
		Why why = {0};
		int r;

		memcpy(image, whole.data, whole.len);
		damage(image);
		if (!memcmp(image, whole.data, whole.len))
			continue;
		if (mended)
			mend_seal(image);
		write_image(image);
		r = load(&db, &why);
		odd += r && (r != GEODB_STALE || !*why.text);
		accepted += !r;
		for (size_t probe = 0; db && probe < probe_count; probe++)
			answers[ask(db, probe)]++;
	}
	write_image(whole.data);
	tap_note("%u accepted; of their answers %u right, %u unknown, %u others", accepted,
		answers[RIGHT], answers[UNKNOWN], answers[WRONG]);
	if (mended)
		tap_ok(!odd && accepted > rounds / 2 && answers[UNKNOWN] && answers[WRONG],
			"%u times random damage under a fitting seal", rounds);
	else
		tap_ok(!odd && !accepted, "%u times random damage is seen", rounds);
}

/* ---- while it is mapped ---- */

static void restore(void)
{
	scratch_write(IMAGE, whole.data, whole.len);
}

/* Returns how many answers are wrong. */
static unsigned ask_all(const GeoDb *db, unsigned answers[3])
{
	memset(answers, 0, 3 * sizeof(*answers));
	for (size_t probe = 0; probe < probe_count; probe++)
		answers[ask(db, probe)]++;
	return answers[WRONG];
}

/* Whether the database knows that it is lost, and all is unknown; notes it when not. */
static bool is_gone(const GeoDb *db, const char *what, unsigned round, off_t size)
{
	unsigned answers[3];
	bool lost, gone;

	(void)ask_all(db, answers);
	lost = geodb_is_lost(db);
	gone = lost && answers[UNKNOWN] == probe_count;
	if (!gone)
		tap_note("%s, round %u: %lld of %zu bytes, %s; %u answers right, %u unknown, %u "
			 "others",
			what, round, (long long)size, whole.len, lost ? "lost" : "not lost",
			answers[RIGHT], answers[UNKNOWN], answers[WRONG]);
	return gone;
}

/*
 * The kernel fills the last page that is left with zeros, so a cut that takes zeros alone changes nothing. Of 256
 * checksums one ends with a zero: the country database gets a time with which this one does.
 */
static void end_with_zero(void)
{
	GeoImage *header = (GeoImage *)whole.data;
	int64_t *mtime_ns = &header->sources[GEO_COUNTRY].mtime_ns;
	char last[sizeof(uint64_t)];

	do {
		uint64_t checksum;

		*mtime_ns += 1000000000;
		checksum = digest_bytes(whole.data, whole.len - sizeof(checksum));
		memcpy(last, &checksum, sizeof(checksum));
	} while (last[sizeof(last) - 1]);
	mend_seal(whole.data);
	restore();
	set_time("country", *mtime_ns);
}

static void test_cut(void)
{
	const unsigned rounds = 2000;
	unsigned wrong = 0, gone = 0, answers[3];

	for (unsigned i = 0; i < rounds; i++) {
		_cleanup_(geodb_freep) GeoDb *db = NULL;
		off_t size = (off_t)random_place();
		Why why = {0};

		if (i % 10 == 0)
			size = size / 4096 * 4096;
		if (i < 100)
			size = (off_t)whole.len - 1 - i;
		MUST(!load(&db, &why));
		if (i % 2)
			wrong += ask_all(db, answers);
		MUST(!truncate(IMAGE, size));
		gone += is_gone(db, "cut", i, size);
		restore();
	}
	if (!tap_ok(!wrong && gone == rounds,
		    "an image that is cut to any of %u sizes is lost, and all is unknown", rounds))
		tap_note("%u were; %u answers were wrong before", gone, wrong);
}

/* Somebody copies another image over the one that is mapped. */
static void test_overwritten(void)
{
	_cleanup_(geodb_freep) GeoDb *db = NULL, *other = NULL;
	_cleanup_strbuf_ StrBuf bytes = STRBUF_INIT;
	Why why = {0};
	int fd;

	MUST(!load(&db, &why));
	scratch_text("few", "8.0.0.0,8.0.0.255,US\n");
	MUST(!geodb_build(&(GeoPaths){{"few", NULL}}, &geo_csv_text, &other, &why));
	MUST(!geodb_save(other, "other.image"));
	bytes = scratch_read("other.image");
	fd = open(IMAGE, O_WRONLY | O_TRUNC | O_CLOEXEC);
	MUST(fd >= 0 && !file_write_full(fd, bytes.data, bytes.len) && !close(fd));
	tap_ok(is_gone(db, "overwritten", 0, (off_t)bytes.len),
		"an image that another one is copied over is lost");
	tap_ok(geodb_save(db, "x") == -ESTALE && access("x", F_OK) < 0, "and can't be saved");
	restore();
}

static void test_cut_meanwhile(void)
{
	const unsigned rounds = 60;
	unsigned all_wrong = 0, lookups = 0, seen = 0;

	for (unsigned i = 0; i < rounds; i++) {
		_cleanup_(geodb_freep) GeoDb *db = NULL;
		unsigned answers[3] = {0}, wrong = 0;
		off_t size = (off_t)(i * 4096 % whole.len);
		Why why = {0};
		int status;
		pid_t pid;

		MUST(!load(&db, &why));
		(void)fflush(stdout);
		pid = fork();
		MUST(pid >= 0);
		if (!pid) {
			for (volatile uint32_t n = random_below(2000000) + i * 1000; n; n--)
				;
			_exit(truncate(IMAGE, size) != 0);
		}
		for (uint64_t n = 0; !geodb_is_lost(db); n++, lookups++) {
			int answer = ask(db, n % probe_count);

			answers[answer]++;
			wrong += answer == WRONG && !geodb_is_lost(db);
		}
		seen += answers[RIGHT] != 0;
		if (wrong)
			tap_note("cut to %lld bytes meanwhile, round %u: %u wrong; %u right, %u "
				 "unknown",
				(long long)size, i, wrong, answers[RIGHT], answers[UNKNOWN]);
		all_wrong += wrong;
		MUST(waitpid(pid, &status, 0) == pid && !status);
		restore();
	}
	tap_note("%u lookups", lookups);
	tap_ok(!all_wrong && seen, "%u images that are cut while they are asked", rounds);
}

/* A number that smaps(5) has of the image's mapping, in KiB. */
static unsigned long smaps_kib(const char *smaps, const char *name)
{
	const char *at = strstr(smaps, "/" IMAGE "\n"), *field = at ? strstr(at, name) : NULL;

	MUST(field);
	return strtoul(field + strlen(name), NULL, 10);
}

/* What two processes have open is there once: no page of it is one's own. */
static void test_shared(void)
{
	_cleanup_(geodb_freep) GeoDb *db = NULL;
	_cleanup_strbuf_ StrBuf smaps = STRBUF_INIT;
	unsigned long rss, own;
	int ready[2], done[2];
	Why why = {0};
	char byte;
	pid_t pid;

	MUST(!pipe2(ready, O_CLOEXEC) && !pipe2(done, O_CLOEXEC));
	(void)fflush(stdout);
	pid = fork();
	MUST(pid >= 0);
	if (!pid) {
		(void)close(done[1]);
		MUST(!load(&db, &why) && write(ready[1], "x", 1) == 1);
		_exit(read(done[0], &byte, 1) != 0);
	}
	(void)close(ready[1]);
	(void)close(done[0]);
	MUST(!load(&db, &why) && read(ready[0], &byte, 1) == 1);
	MUST(!file_read("/proc/self/smaps", 64 << 20, &smaps));
	(void)close(ready[0]);
	(void)close(done[1]);
	MUST(waitpid(pid, NULL, 0) == pid);
	rss = smaps_kib(smaps.data, "\nRss:");
	own = smaps_kib(smaps.data, "\nPrivate_Dirty:") +
	      smaps_kib(smaps.data, "\nPrivate_Clean:") + smaps_kib(smaps.data, "\nAnonymous:");
	if (!tap_ok(rss * 1024 >= whole.len && !own, "two processes share an image"))
		tap_note("%lu KiB are there, %lu of them the process's own", rss, own);
}

int main(void)
{
	small = getenv("MLS_TEST_SMALL") != NULL;
	random_start();
	scratch_enter();
	prepare();
	test_random_damage(false);
	test_random_damage(true);
	/* Under valgrind the process does not go on after SIGBUS as it should (test-mapping). */
	if (!small) {
		end_with_zero();
		test_cut();
		test_overwritten();
		test_cut_meanwhile();
	}
	test_shared();
	for (size_t i = 0; i < probe_count; i++)
		forget_answer(&expected[i]);
	strbuf_done(&whole);
	return tap_done();
}
