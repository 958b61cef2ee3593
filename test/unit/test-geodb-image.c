/* SPDX-License-Identifier: GPL-3.0-or-later */

/* The image as a file: what it knows of its databases, how it is saved, and when it is of no use any more. */

#include <dirent.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "base/digest.h"
#include "geodb-tools.h"
#include "mmdb-writer.h"
#include "scratch.h"
#include "tap.h"

#define IMAGE "db/ip.image"

static const GeoPaths paths = {{"country", "asn"}};

static const char country_csv[] = "8.0.0.0,8.0.0.255,US\n"
				  "8.0.1.0,8.0.1.255,DE\n"
				  "8.0.1.128,8.0.1.255,DE\n"
				  "2a00::,2a00:0:0:3::7,DE\n"
				  "2a00:0:0:3::9,2a00:0:0:3::9,FR\n";
static const char asn_csv[] = "8.0.0.128,8.0.1.127,64500,Alpha\n"
			      "8.0.1.128,8.0.2.255,64501,\"=\"\"B\"\", \\x\001\xff\"\n";

static const char answers[] =
	"8.0.0.0=US|8.0.0.127=US|8.0.0.128=US64500 Alpha|8.0.0.255=US64500 Alpha|"
	"8.0.1.0=DE64500 Alpha|8.0.1.127=DE64500 Alpha|8.0.1.128=DE64501 =\"B\", \\x\001\xff|"
	"8.0.2.0=64501 =\"B\", \\x\001\xff|8.0.2.255=64501 =\"B\", \\x\001\xff|8.0.3.0=|"
	"7.255.255.255=|2a00::1=DE|2a00:0:0:3::7=DE|2a00:0:0:3::8=|2a00:0:0:3::9=FR|2a00:0:0:3::a=|"
	"29ff::=";

static void start_anew(void)
{
	GeoDb *db = NULL;
	Why why = {0};

	scratch_empty();
	MUST(!mkdir("db", 0755));
	scratch_text("country", country_csv);
	scratch_text("asn", asn_csv);
	MUST(!geodb_build(&paths, &geo_csv_text, &db, &why));
	MUST(!geodb_save(db, IMAGE));
	geodb_free(db);
}

static int load(GeoDb **ret_db, Why *ret_why)
{
	return geodb_load(IMAGE, &paths, &geo_csv_text, ret_db, ret_why);
}

static bool loads(void)
{
	_cleanup_(geodb_freep) GeoDb *db = NULL;
	Why why = {0};

	if (!load(&db, &why))
		return answers_are(db, answers);
	tap_note("%s", why.text);
	return false;
}

/* Only the image is there. */
static bool nothing_is_left(void)
{
	struct dirent **entries;
	int count = scandir("db", &entries, NULL, NULL);

	for (int i = 0; i < count; i++) {
		if (count > 3)
			tap_note("%s", entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return count == 3;
}

static void test_round(void)
{
	_cleanup_(geodb_freep) GeoDb *built = NULL, *loaded = NULL;
	StrBuf first, second;
	struct stat st;
	Why why = {0};

	start_anew();
	MUST(!geodb_build(&paths, &geo_csv_text, &built, &why));
	tap_ok(answers_are(built, answers), "the answers of an image that was built");
	tap_ok(!load(&loaded, &why) && answers_are(loaded, answers), "and of one that was loaded");
	tap_ok(!stat(IMAGE, &st) && (st.st_mode & 07777) == 0644, "everybody may read it");
	first = scratch_read(IMAGE);
	tap_ok(!geodb_save(built, IMAGE) && nothing_is_left(), "saved over another");
	second = scratch_read(IMAGE);
	tap_ok(first.len == second.len && !memcmp(first.data, second.data, first.len),
		"the same databases make the same image");
	tap_ok(answers_are(loaded, answers) && !geodb_is_lost(loaded),
		"the other one is still there for who has it open");
	strbuf_done(&first);
	strbuf_done(&second);
}

static void test_text(void)
{
	static const struct {
		const char *address, *text;
	} rows[] = {
		{"8.0.0.0", "US,N/A,\"N/A\""},
		{"8.0.1.0", "DE,64500,\"Alpha\""},
		{"8.0.2.0", "N/A,64501,\"'=\"\"B\"\", \\x5cx\\x01\\xff\""},
		{"9.0.0.0", "N/A,N/A,\"N/A\""},
		{"192.168.0.1", "N/A,N/A,\"N/A\""},
	};
	_cleanup_(geodb_freep) GeoDb *db = NULL;
	GeoRecord record;
	Why why = {0};

	start_anew();
	MUST(!load(&db, &why));
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		IpAddr addr;

		MUST(!ipaddr_parse(span_from_string(rows[i].address), &addr));
		geodb_lookup(db, &addr, &record);
		if (!tap_ok(span_equal_string(record.text, rows[i].text), "the text of %s",
			    rows[i].address))
			tap_note("'%.*s'", (int)record.text.len, record.text.data);
	}
	geodb_lookup(db, &(IpAddr){.family = IP_UNKNOWN}, &record);
	tap_ok(span_equal_string(record.text, "N/A,N/A,\"N/A\""), "the text of no address");
}

/* One row of the organisation, with the ready-made text and field by field: the same bytes. */
static bool row_is_same(const GeoRecord *record, const char *organisation, size_t len)
{
	_cleanup_strbuf_ StrBuf with = STRBUF_INIT, without = STRBUF_INIT;
	Row row = {{SPAN_LITERAL("mx1"), SPAN_LITERAL("2026-11-22 12:05"), SPAN_LITERAL("8.0.0.0"),
		SPAN_MISSING, SPAN_MISSING, SPAN_LITERAL("Off"), SPAN_LITERAL("US"),
		SPAN_LITERAL("4294967295")}};

	row.field[COLUMN_ASO] = len ? (Span){organisation, len} : SPAN_MISSING;
	csv_append_row(&without, &row);
	csv_append_row_with_place(&with, &row, record->text);
	return !strcmp(record->country_code, "US") && record->asn == UINT32_MAX &&
	       span_equal(record->organisation, row.field[COLUMN_ASO]) && with.len == without.len &&
	       !memcmp(with.data, without.data, with.len);
}

static bool is_same_from_database(const char *organisation, size_t len)
{
	_cleanup_(geodb_freep) GeoDb *db = NULL, *loaded = NULL;
	_cleanup_strbuf_ StrBuf file = STRBUF_INIT;
	GeoRecord built, mapped;
	Why why = {0};
	MmdbWriter w;

	mmdb_writer_init(&w, 4, 24, "Test-ASN");
	mmdb_writer_range(&w, IP_V4, (IpKey){0, 0x08000000}, (IpKey){0, 0x080000ff},
		mmdb_writer_network(&w, UINT32_MAX, (Span){organisation, len}));
	mmdb_writer_finish(&w, &file);
	mmdb_writer_done(&w);
	scratch_write("asn", file.data, file.len);
	MUST(!geodb_build(&paths, &geo_csv_text, &db, &why) && !geodb_save(db, IMAGE));
	MUST(!load(&loaded, &why));
	geodb_lookup(db, &(IpAddr){IP_V4, {8}}, &built);
	geodb_lookup(loaded, &(IpAddr){IP_V4, {8}}, &mapped);
	return row_is_same(&built, organisation, len) && row_is_same(&mapped, organisation, len);
}

static void test_hostile_names(void)
{
	static const Span names[] = {
		{"", 0},
#define NAME(s) {s, sizeof(s) - 1}
		NAME("Plain"),
		NAME("=1+1"),
		NAME("+1"),
		NAME("-1"),
		NAME("@SUM(A1)"),
		NAME("'x"),
		NAME("\tx"),
		NAME("N/A"),
		NAME("null"),
		NAME("\""),
		NAME("\"\""),
		NAME("a\"b"),
		NAME(","),
		NAME(" x"),
		NAME("x "),
		NAME(" "),
		NAME("a\nb\rc"),
		NAME("\x00"),
		NAME("x\0"),
		NAME("\x1b[31m"),
		NAME("\x7f"),
		NAME("\xc2\x80"),
		NAME("\xff\xfe"),
		NAME("\xc3"),
		NAME("\\x41"),
		NAME("\\"),
		NAME("\\\\x"),
		NAME("Caf\xc3\xa9"),
		NAME("U"),
		NAME("US"),
		NAME("4294967295"),
		NAME("US,4294967295,"),
		NAME("US,4"),
#undef NAME
	};
	char longest[255];
	size_t same = 0, random_same = 0;

	start_anew();
	scratch_text("country", "8.0.0.0,8.0.0.255,US\n");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (is_same_from_database(names[i].data, names[i].len))
			same++;
		else
			tap_note("'%s'", names[i].data);
	}
	tap_ok(same == ARRAY_SIZE(names), "rows with %zu odd names of organisations", same);
	for (size_t i = 0; i < 6; i++) {
		memset(longest, "x\"=\x01\xff\xc3"[i], sizeof(longest));
		tap_ok(is_same_from_database(longest, sizeof(longest)), "255 bytes of 0x%02x",
			(unsigned char)longest[0]);
	}
	for (size_t i = 0; i < 100; i++) {
		static const char bytes[] = "=+-@'\t\"\",, \\x\n\0\x80\xc3\xa9\xff"
					    "aZ09";
		size_t len = 1 + random_below(24);

		for (size_t at = 0; at < len; at++)
			longest[at] = bytes[random_below(sizeof(bytes))];
		random_same += is_same_from_database(longest, len);
	}
	tap_ok(random_same == 100, "and with %zu random ones", random_same);
}

/* ---- what it knows of its databases ---- */

static bool source_is(const GeoSource *source, const char *path, const GeoSource *expected)
{
	_cleanup_strbuf_ StrBuf content = scratch_read(path);
	struct stat st;

	MUST(!stat(path, &st));
	return source->there && source->size_bytes == content.len &&
	       source->mtime_ns == st.st_mtim.tv_sec * 1000000000LL + st.st_mtim.tv_nsec &&
	       source->hash == digest_bytes(content.data, content.len) &&
	       source->date_us ==
		       (expected->date_us ? expected->date_us : source->mtime_ns / 1000) &&
	       source->rows == expected->rows && source->rejected == expected->rejected &&
	       source->ranges_v4 == expected->ranges_v4 &&
	       source->ranges_v6 == expected->ranges_v6 &&
	       source->covered_v4 == expected->covered_v4 &&
	       source->covered_v6 == expected->covered_v6;
}

static void write_mmdb(void)
{
	_cleanup_strbuf_ StrBuf file = STRBUF_INIT;
	MmdbWriter w;

	mmdb_writer_init(&w, 6, 24, "Test-Country");
	mmdb_writer_range(&w, IP_V4, (IpKey){0, 0x08000000}, (IpKey){0, 0x080000ff},
		mmdb_writer_country(&w, MMDB_FLAT, "US"));
	mmdb_writer_finish(&w, &file);
	mmdb_writer_done(&w);
	scratch_write("country", file.data, file.len);
}

static void test_sources(void)
{
	const GeoSource country = {
		.rows = 5, .ranges_v4 = 2, .ranges_v6 = 2, .covered_v4 = 512, .covered_v6 = 4};
	const GeoSource asn = {.rows = 2, .ranges_v4 = 2, .covered_v4 = 640};
	const GeoSource all = {.rows = 2,
		.ranges_v4 = 1,
		.ranges_v6 = 1,
		.covered_v4 = 1ULL << 32,
		.covered_v6 = UINT64_MAX};
	const GeoSource mmdb = {.rows = 1,
		.ranges_v4 = 1,
		.covered_v4 = 256,
		.date_us = MMDB_WRITER_EPOCH * 1000000LL};
	_cleanup_(geodb_freep) GeoDb *db = NULL, *other = NULL, *empty = NULL;
	Why why = {0};

	start_anew();
	MUST(!load(&db, &why));
	tap_ok(source_is(geodb_source(db, GEO_COUNTRY), "country", &country),
		"what is known of a database of countries");
	tap_ok(source_is(geodb_source(db, GEO_ASN), "asn", &asn), "and of networks");
	scratch_text("country", "0.0.0.0,255.255.255.255,US\n"
				"::,ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff,US\n");
	MUST(!geodb_build(&paths, &geo_csv_text, &other, &why));
	tap_ok(source_is(geodb_source(other, GEO_COUNTRY), "country", &all), "all addresses");
	geodb_free(other);
	write_mmdb();
	MUST(!geodb_build(&paths, &geo_csv_text, &other, &why));
	tap_ok(source_is(geodb_source(other, GEO_COUNTRY), "country", &mmdb),
		"an MMDB says when it was made");
	MUST(!unlink("country") && !geodb_build(&paths, &geo_csv_text, &empty, &why));
	tap_ok(!geodb_source(empty, GEO_COUNTRY)->there && geodb_source(empty, GEO_ASN)->there,
		"one that is not there");
}

/* ---- of no use any more ---- */

static void patch(const char *path, off_t at, char with)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	MUST(fd >= 0 && pwrite(fd, &with, 1, at) == 1);
	(void)close(fd);
}

static off_t size_of(const char *path)
{
	struct stat st;

	MUST(!stat(path, &st));
	return st.st_size;
}

static void set_mtime(const char *path, int64_t nanoseconds_later)
{
	struct timespec times[2];
	struct stat st;

	MUST(!stat(path, &st));
	times[0] = times[1] = st.st_mtim;
	times[1].tv_nsec += times[1].tv_nsec < 999999999 ? nanoseconds_later : -nanoseconds_later;
	MUST(!utimensat(AT_FDCWD, path, times, 0));
}

static void no_image(void)
{
	MUST(!unlink(IMAGE));
}

static void a_directory(void)
{
	MUST(!unlink(IMAGE) && !mkdir(IMAGE, 0755));
}

static void a_pipe(void)
{
	MUST(!unlink(IMAGE) && !mkfifo(IMAGE, 0644));
}

static void an_empty_file(void)
{
	scratch_text(IMAGE, "");
}

static void another_file(void)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;

	while (sb.len < 600000)
		strbuf_append_string(&sb, "8.0.0.0,8.0.0.255,US\n");
	scratch_write(IMAGE, sb.data, sb.len);
}

static void the_header_alone(void)
{
	MUST(!truncate(IMAGE, 512));
}

static void another_version(void)
{
	patch(IMAGE, 8, 77);
}

static void cut_by_a_byte(void)
{
	MUST(!truncate(IMAGE, size_of(IMAGE) - 1));
}

static void cut_by_a_word(void)
{
	MUST(!truncate(IMAGE, size_of(IMAGE) - 8));
}

static void longer(void)
{
	scratch_append(IMAGE, "\0\0\0\0\0\0\0", 8);
}

static void a_zero_more(void)
{
	_cleanup_strbuf_ StrBuf sb = scratch_read(IMAGE);
	size_t at = sb.len - 9;

	while (!sb.data[at])
		at--;
	patch(IMAGE, (off_t)at, 0);
}

static void a_bit_of_the_seal(void)
{
	_cleanup_strbuf_ StrBuf sb = scratch_read(IMAGE);

	patch(IMAGE, (off_t)sb.len - 1, (char)(sb.data[sb.len - 1] ^ 1));
}

static void no_country(void)
{
	MUST(!unlink("country"));
}

static void no_asn(void)
{
	MUST(!unlink("asn"));
}

static void longer_asn(void)
{
	struct stat st;

	MUST(!stat("asn", &st));
	scratch_append("asn", "9.0.0.0,9.0.0.0,1,A\n", 20);
	MUST(!utimensat(AT_FDCWD, "asn", (const struct timespec[2]){st.st_mtim, st.st_mtim}, 0));
}

static void other_country(void)
{
	set_mtime("country", 1);
}

static void swapped(void)
{
	MUST(!rename("country", "x") && !rename("asn", "country") && !rename("x", "asn"));
}

static const struct {
	const char *name;
	void (*change)(void);
	const char *why; /* after "db/ip.image: " */
} changes[] = {
	{"no image", no_image, "there is none"},
	{"a directory", a_directory, "this is not a file"},
	{"a pipe", a_pipe, "this is not a file"},
	{"an empty file", an_empty_file, "it is not whole"},
	{"another file", another_file, "this is no image"},
	{"its start alone", the_header_alone, "it is not whole"},
	{"an image of another version", another_version, "it is of another version"},
	{"an image without its last byte", cut_by_a_byte, "it is not whole"},
	{"an image without its last word", cut_by_a_word, "it is not whole"},
	{"an image with something behind it", longer, "it is not whole"},
	{"an image with a byte lost", a_zero_more, "it is damaged"},
	{"an image with a changed seal", a_bit_of_the_seal, "it is damaged"},
	{"countries that are gone", no_country,
		"it is of another database of countries than country"},
	{"networks that are gone", no_asn, "it is of another database of networks than asn"},
	{"networks of another size", longer_asn, "it is of another database of networks than asn"},
	{"countries a nanosecond younger", other_country,
		"it is of another database of countries than country"},
	{"databases that were swapped", swapped,
		"it is of another database of countries than country"},
};

static void test_stale(void)
{
	const GeoText other_text = {csv_append_place, CSV_PLACE_VERSION + 1};
	const GeoPaths no_paths = {{NULL, "asn"}};
	GeoDb *db = NULL;
	Why why = {0};

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		char expected[256];
		int r;

		start_anew();
		changes[i].change();
		(void)snprintf(expected, sizeof(expected), IMAGE ": %s", changes[i].why);
		why.text[0] = '\0';
		r = load(&db, &why);
		if (!tap_ok(r == GEODB_STALE && !db && !strcmp(why.text, expected), "%s",
			    changes[i].name))
			tap_note("%d '%s'", r, why.text);
	}
	start_anew();
	tap_ok(geodb_load(IMAGE, &paths, &other_text, &db, &why) == GEODB_STALE &&
			!strcmp(why.text, IMAGE ": its texts are of another version"),
		"texts of another version");
	tap_ok(geodb_load(IMAGE, &no_paths, &geo_csv_text, &db, &why) == GEODB_STALE &&
			strstr(why.text, "database of countries than none"),
		"a database that nobody wants");
	tap_ok(geodb_load(IMAGE "/x", &paths, &geo_csv_text, &db, &why) == -ENOTDIR && *why.text,
		"an image that can't be looked at");
	tap_ok(geodb_load(IMAGE, &(GeoPaths){{"asn/x", "asn"}}, &geo_csv_text, &db, &why) ==
				-ENOTDIR &&
			!strcmp(why.text, "asn/x: Not a directory"),
		"a database that can't be looked at");
	tap_ok(loads(), "none of these did any harm");
}

/* ---- in steps ---- */

static void test_steps(void)
{
	_cleanup_(geodb_loader_freep) GeoLoader *loader = NULL, *left = NULL;
	_cleanup_(geodb_freep) GeoDb *db = NULL;
	size_t size, steps = 1;
	Why why = {0};
	int r;

	start_anew();
	size = (size_t)size_of(IMAGE);
	MUST(!geodb_loader_new(IMAGE, &paths, &geo_csv_text, &left, &why));
	MUST(geodb_loader_step(left, &db, &why) == GEODB_MORE);
	MUST(!geodb_loader_new(IMAGE, &paths, &geo_csv_text, &loader, &why));
	while ((r = geodb_loader_step(loader, &db, &why)) == GEODB_MORE)
		steps++;
	tap_ok(!r && steps > 1 && steps == size / GEODB_STEP_MAX + 1,
		"an image of %zu bytes in %zu steps", size, steps);
	geodb_loader_free(TAKE(loader));
	tap_ok(answers_are(db, answers), "which needs the loader no more");
}

/* ---- saving ---- */

/* All that geodb_save writes goes into the directory of the path, which may be this one. */
static void test_save_places(void)
{
	_cleanup_(geodb_freep) GeoDb *db = NULL, *here = NULL;
	struct stat st;
	Why why = {0};

	start_anew();
	MUST(!geodb_build(&paths, &geo_csv_text, &db, &why));
	tap_ok(!geodb_save(db, "here") && !geodb_load("here", &paths, &geo_csv_text, &here, &why),
		"a path without a directory");
	tap_ok(geodb_save(db, "nowhere/ip.image") == -ENOENT, "a directory that is not there");
	MUST(!unlink(IMAGE) && !mkdir(IMAGE, 0755));
	tap_ok(geodb_save(db, IMAGE) == -EISDIR && nothing_is_left(), "a directory of the name");
	MUST(!rmdir(IMAGE));
	if (!geteuid()) {
		MUST(!chown("db", 65534, 65533));
		tap_ok(!geodb_save(db, IMAGE) && !stat(IMAGE, &st) && st.st_uid == 65534 &&
				st.st_gid == 65533,
			"what root writes is the directory's owner's");
		MUST(!chown("db", 0, 0));
	}
	MUST(!unlink(IMAGE) || errno == ENOENT);
	MUST(!chmod("db", 0555));
	scratch_be_nobody(".");
	tap_ok(geodb_save(db, IMAGE) == -EACCES, "a directory that may not be written");
	scratch_come_back();
	MUST(!chmod("db", 0755));
}

static void test_save_full(void)
{
	_cleanup_(geodb_freep) GeoDb *db = NULL;
	struct rlimit old, small = {.rlim_cur = 300000};
	Why why = {0};
	int r;

	start_anew();
	MUST(!geodb_build(&paths, &geo_csv_text, &db, &why));
	MUST(!getrlimit(RLIMIT_FSIZE, &old));
	small.rlim_max = old.rlim_max;
	MUST(signal(SIGXFSZ, SIG_IGN) != SIG_ERR && !setrlimit(RLIMIT_FSIZE, &small));
	r = geodb_save(db, IMAGE);
	MUST(!setrlimit(RLIMIT_FSIZE, &old));
	tap_ok(r == -EFBIG && nothing_is_left() && loads(),
		"no room: the image that was there stays");
}

/* What a process leaves that is killed before the last step; and who saves at the same time. */
static void test_save_beside(void)
{
	_cleanup_(geodb_freep) GeoDb *db = NULL;
	int status, bad = 0;
	Why why = {0};

	start_anew();
	MUST(!geodb_build(&paths, &geo_csv_text, &db, &why));
	scratch_text(IMAGE ".tmp", "left behind");
	tap_ok(!geodb_save(db, IMAGE) && nothing_is_left() && loads(),
		"what was left is not in the way");
	MUST(!symlink("../asn", IMAGE ".tmp"));
	tap_ok(!geodb_save(db, IMAGE) && nothing_is_left() && loads() &&
			scratch_holds("asn", asn_csv, strlen(asn_csv)),
		"nor is a link, which is not followed");
	MUST(!unlink(IMAGE));
	(void)fflush(stdout);
	for (unsigned i = 0; i < 4; i++) {
		pid_t pid = fork();

		MUST(pid >= 0);
		if (pid)
			continue;
		for (unsigned n = 0; n < 25; n++)
			bad += geodb_save(db, IMAGE) != 0;
		_exit(bad != 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		MUST(wait(&status) > 0);
		bad += status != 0;
	}
	tap_ok(!bad && nothing_is_left() && loads(), "four processes save it 25 times each");
}

/* As on a file system without files that have no name. */
static int forbid_unnamed_files(void)
{
	const uint32_t flags = (uint32_t)offsetof(struct seccomp_data, args[2]);
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_openat, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			flags + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4 : 0)),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, O_TMPFILE & ~O_DIRECTORY, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {ARRAY_SIZE(code), code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ? -errno : 0;
}

static void save_named(void)
{
	GeoDb *db = NULL;
	Why why = {0};

	if (geodb_build(&paths, &geo_csv_text, &db, &why) || forbid_unnamed_files())
		_exit(7);
	if (open("db", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600) >= 0 || errno != EOPNOTSUPP)
		_exit(8);
	if (geodb_save(db, "db") != -EISDIR && geodb_save(db, "db") != -EEXIST)
		_exit(9);
	_exit(geodb_save(db, IMAGE) ? 10 : 0);
}

static void test_save_named(void)
{
	int status;
	pid_t pid;

	start_anew();
	MUST(!unlink(IMAGE));
	(void)fflush(stdout);
	pid = fork();
	MUST(pid >= 0);
	if (!pid)
		save_named();
	MUST(waitpid(pid, &status, 0) == pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 7)
		tap_ok(true, "where every file has a name # SKIP no seccomp here");
	else if (!tap_ok(!status && nothing_is_left() && loads(), "where every file has a name"))
		tap_note("status %d", status);
}

/* ---- databases that change while they are read ---- */

/* Of a length that divides a page's: of an append that crosses into the next page, a part can be seen alone. */
#define GROWING "100.100.100.0,100.100.100.99,US\n"

/* Appends until it is killed: what is there at any time is a database. */
static _Noreturn void keep_growing(void)
{
	_Static_assert(4096 % (sizeof(GROWING) - 1) == 0, "no row lies in two pages");
	MUST(!prctl(PR_SET_PDEATHSIG, SIGKILL));
	for (;;) {
		struct stat st;

		MUST(!stat("country", &st));
		if (st.st_size > 1000000)
			MUST(!truncate("country", (off_t)strlen(GROWING)));
		scratch_append("country", GROWING, strlen(GROWING));
	}
}

static void test_changing(void)
{
	const double deadline = cpu_seconds() + 30;
	size_t wrong = 0, read = 0, refused = 0;
	pid_t pid;

	start_anew();
	scratch_text("country", GROWING);
	(void)fflush(stdout);
	pid = fork();
	MUST(pid >= 0);
	if (!pid)
		keep_growing();
	while ((read < 10 || refused < 3) && cpu_seconds() < deadline) {
		_cleanup_(geodb_freep) GeoDb *db = NULL;
		_cleanup_strbuf_ StrBuf expected = STRBUF_INIT;
		const GeoSource *source;
		Why why = {0};
		int r = geodb_build(&paths, &geo_csv_text, &db, &why);

		if (r == -EAGAIN &&
			!strcmp(why.text, "country: the file changes while it is read")) {
			refused++;
			continue;
		}
		if (r)
			tap_note("%s (%d)", why.text, r);
		MUST(!r);
		read++;
		source = geodb_source(db, GEO_COUNTRY);
		while (expected.len < source->size_bytes)
			strbuf_append_string(&expected, GROWING);
		wrong += source->hash != digest_bytes(expected.data, expected.len) ||
			 source->rows * strlen(GROWING) != source->size_bytes;
	}
	MUST(!kill(pid, SIGKILL) && waitpid(pid, NULL, 0) == pid);
	tap_note("%zu read, %zu refused", read, refused);
	tap_ok(!wrong && read && refused, "a database is read in one state, or not at all");
}

int main(void)
{
	random_start();
	scratch_enter();
	test_round();
	test_text();
	test_hostile_names();
	test_sources();
	test_stale();
	test_steps();
	test_save_places();
	test_save_full();
	test_save_beside();
	test_save_named();
	test_changing();
	return tap_done();
}
