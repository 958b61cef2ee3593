/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "enrich/geodb-mmdb.h"

#include <fcntl.h>
#include <maxminddb.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/sendfile.h>

#include "base/digest.h"
#include "base/file.h"
#include "enrich/mmdb-check.h"

#define NO_NODE UINT64_MAX

/*
 * The keys that tell an entry of the kind when it does not say the value: MaxMind leaves out what
 * is not known.
 */
static const char *const country_keys[] = {
	"country", "registered_country", "represented_country", "continent", "traits", NULL};
static const char *const asn_keys[] = {
	"autonomous_system_organization", "isp", "organization", NULL};

/* A record on the way down: where it leads, and which addresses it stands for. */
typedef struct Step {
	uint64_t record;
	IpKey first;
	unsigned depth;
} Step;

typedef struct Walk {
	GeoRows *rows;
	const MMDB_s *mmdb;
	MmdbFrame *frame;
	Intern offsets;                   /* of the entries met so far, 4 bytes each */
	StrBuf values;                    /* their values, 4 bytes each */
	uint32_t last_offset, last_value; /* neighbours often share their entry */
	uint64_t known;                   /* entries that say a value */
	uint8_t *seen;                    /* a bit for each node */
	uint32_t reached;                 /* nodes */
	uint64_t v4_root;                 /* the node of ::/96 in an IPv6 tree */
	Step stack[130];                  /* a step down leaves one record behind */
	size_t stack_count;
} Walk;

int geodb_mmdb_recognise(int fd, off_t size)
{
	off_t reach = MIN(size, (off_t)MMDB_MARK_REACH);
	_cleanup_free_ uint8_t *tail = malloc((size_t)reach + 1);
	ssize_t n;

	if (!tail)
		return -ENOMEM;
	n = file_pread_full(fd, tail, (size_t)reach, size - reach);
	if (n < 0)
		return (int)n;
	return mmdb_mark_find(tail, (size_t)n) != NULL;
}

static int damaged(Why *ret_why, const char *what)
{
	why_set(ret_why, "damaged: %s", what);
	return -EBADMSG;
}

static int damaged_entry(Why *ret_why, uint32_t offset, const char *what)
{
	why_set(ret_why, "damaged: entry at byte %u of its data: %s", offset, what);
	return -EBADMSG;
}

static bool get(
	MMDB_entry_s *entry, const char *key, const char *subkey, MMDB_entry_data_s *ret_data)
{
	const char *path[] = {key, subkey, NULL};

	return MMDB_aget_value(entry, ret_data, path) == MMDB_SUCCESS && ret_data->has_data;
}

static bool has_any(MMDB_entry_s *entry, const char *const *keys)
{
	MMDB_entry_data_s data;

	for (; *keys; keys++)
		if (get(entry, *keys, NULL, &data))
			return true;
	return false;
}

static int read_country(
	Walk *walk, MMDB_entry_s *entry, uint32_t *ret_value, const char **ret_wrong)
{
	MMDB_entry_data_s data;

	if (!get(entry, "country_code", NULL, &data) && !get(entry, "country", "iso_code", &data)) {
		*ret_value = 0;
		if (!has_any(entry, country_keys))
			*ret_wrong = "it has no country";
		return 0;
	}
	if (data.type != MMDB_DATA_TYPE_UTF8_STRING ||
		geo_country_value((Span){data.utf8_string, data.data_size}, ret_value) < 0)
		*ret_wrong = "its country code is not two letters";
	else
		walk->known++;
	return 0;
}

static bool asn_number(const MMDB_entry_data_s *data, uint32_t *ret_asn)
{
	uint64_t asn;

	switch (data->type) {
	case MMDB_DATA_TYPE_UINT16: asn = data->uint16; break;
	case MMDB_DATA_TYPE_UINT32: asn = data->uint32; break;
	case MMDB_DATA_TYPE_UINT64: asn = data->uint64; break;
	default: return false;
	}
	*ret_asn = (uint32_t)asn;
	return asn <= UINT32_MAX;
}

static int read_network(
	Walk *walk, MMDB_entry_s *entry, uint32_t *ret_value, const char **ret_wrong)
{
	Span organisation = SPAN_MISSING;
	MMDB_entry_data_s data;
	uint32_t asn = 0;

	if (!get(entry, "autonomous_system_number", NULL, &data)) {
		*ret_value = 0;
		if (!has_any(entry, asn_keys))
			*ret_wrong = "it has no autonomous system";
		return 0;
	}
	if (!asn_number(&data, &asn)) {
		*ret_wrong = "its autonomous system number is none";
		return 0;
	}
	if (get(entry, "autonomous_system_organization", NULL, &data)) {
		if (data.type != MMDB_DATA_TYPE_UTF8_STRING) {
			*ret_wrong = "its organisation is no text";
			return 0;
		}
		organisation = (Span){data.utf8_string, data.data_size};
	}
	walk->known++;
	return geo_network_value(walk->rows, asn, organisation, ret_value);
}

/* The value of the entry at an offset of the data section: read once, then remembered. */
static int entry_value(Walk *walk, uint32_t offset, uint32_t *ret_value, Why *ret_why)
{
	MMDB_entry_s entry = {.mmdb = walk->mmdb, .offset = offset};
	uint32_t count = walk->offsets.count, number, value = 0;
	const char *wrong = NULL;
	int r;

	if (count && offset == walk->last_offset) {
		*ret_value = walk->last_value;
		return 0;
	}
	r = intern_add(&walk->offsets, &offset, sizeof(offset), &number);
	if (r < 0)
		return r;
	if (number < count) {
		memcpy(&value, walk->values.data + number * sizeof(value), sizeof(value));
	} else {
		if (!mmdb_check_map(walk->frame, offset))
			return damaged_entry(ret_why, offset, "it is no map, or breaks off");
		r = walk->rows->kind == GEO_COUNTRY ? read_country(walk, &entry, &value, &wrong)
						    : read_network(walk, &entry, &value, &wrong);
		if (wrong)
			return damaged_entry(ret_why, offset, wrong);
		if (r < 0)
			return r;
		strbuf_append(&walk->values, &value, sizeof(value));
		r = strbuf_error(&walk->values);
		if (r < 0)
			return r;
	}
	walk->last_offset = offset;
	walk->last_value = value;
	*ret_value = value;
	return 0;
}

/* The addresses that share the upper bits. */
static IpKey last_of(IpKey first, unsigned bits, unsigned depth)
{
	unsigned free_bits = bits - depth;

	if (free_bits >= 64)
		return (IpKey){
			first.hi | (free_bits == 128 ? UINT64_MAX : (1ULL << (free_bits - 64)) - 1),
			UINT64_MAX};
	return (IpKey){first.hi, first.lo | ((1ULL << free_bits) - 1)};
}

/* An IPv6 tree has IPv4 at ::/96. */
static int add_network(Walk *walk, const Step *step, uint32_t value)
{
	unsigned bits = walk->frame->address_bits;
	IpKey last = last_of(step->first, bits, step->depth);
	bool zeros = !step->first.hi && step->first.lo <= UINT32_MAX;
	int r;

	if (bits == 32 || (zeros && step->depth >= 96))
		return geo_rows_add(walk->rows, IP_V4, step->first, last, value);
	if (zeros) {
		r = geo_rows_add(walk->rows, IP_V4, IPKEY_ZERO, IPKEY_MAX_V4, value);
		if (r < 0)
			return r;
	}
	return geo_rows_add(walk->rows, IP_V6, step->first, last, value);
}

/* ::ffff:0:0/96, 2002::/16 and others lead to the IPv4 part once more. */
static bool is_alias(const Walk *walk, const Step *step)
{
	return step->record == walk->v4_root &&
	       !(step->depth == 96 && ipkey_equal(step->first, IPKEY_ZERO));
}

static int visit_node(Walk *walk, const Step *step, Why *ret_why)
{
	uint32_t node = (uint32_t)step->record;
	unsigned bits = walk->frame->address_bits, left;
	MMDB_search_node_s records;
	IpKey right = step->first;

	if (walk->seen[node / 8] >> node % 8 & 1)
		return damaged(ret_why, "its tree reaches a node twice");
	walk->seen[node / 8] |= (uint8_t)(1U << node % 8);
	walk->reached++;
	if (step->depth >= bits)
		return damaged(ret_why, "its tree is deeper than an address");
	if (MMDB_read_node(walk->mmdb, node, &records) != MMDB_SUCCESS)
		return damaged(ret_why, "its tree can't be read");
	left = bits - step->depth - 1;
	if (left >= 64)
		right.hi |= 1ULL << (left - 64);
	else
		right.lo |= 1ULL << left;
	walk->stack[walk->stack_count++] = (Step){records.right_record, right, step->depth + 1};
	walk->stack[walk->stack_count++] =
		(Step){records.left_record, step->first, step->depth + 1};
	return 0;
}

/* From the lowest address to the highest. */
static int walk_tree(Walk *walk, Why *ret_why)
{
	const MmdbFrame *frame = walk->frame;

	walk->stack[walk->stack_count++] = (Step){0, IPKEY_ZERO, 0};
	while (walk->stack_count) {
		const Step step = walk->stack[--walk->stack_count];
		/*
		 * Wraps around to nearly 2^64 for a record that leads into the gap between tree
		 * and data.
		 */
		uint64_t offset = step.record - frame->node_count - 16;
		uint32_t value;
		int r = 0;

		if (step.record == frame->node_count || is_alias(walk, &step))
			continue;
		if (step.record < frame->node_count) {
			r = visit_node(walk, &step, ret_why);
		} else if (offset >= frame->data_size) {
			r = damaged(ret_why, "its tree leads out of its data");
		} else {
			r = entry_value(walk, (uint32_t)offset, &value, ret_why);
			if (!r)
				r = add_network(walk, &step, value);
		}
		if (r < 0)
			return r;
	}
	if (walk->reached != frame->node_count)
		return damaged(ret_why, "its tree does not reach all its nodes");
	if (!walk->rows->rows)
		return damaged(ret_why, "there are no networks in it");
	if (!walk->known) {
		why_set(ret_why, "this is a database of something else (%s): it knows no %s",
			walk->mmdb->metadata.database_type,
			walk->rows->kind == GEO_COUNTRY ? "country" : "autonomous system");
		return -EBADMSG;
	}
	return 0;
}

static int walk_database(const MMDB_s *mmdb, MmdbFrame *frame, GeoRows *rows, Why *ret_why)
{
	_cleanup_free_ uint8_t *seen = calloc(frame->node_count / 8 + 1, 1);
	const MMDB_ipv4_start_node_s *v4 = &mmdb->ipv4_start_node;
	Walk w = {.rows = rows, .mmdb = mmdb, .frame = frame, .values = STRBUF_INIT, .seen = seen};
	int r;

	if (!seen)
		return -ENOMEM;
	w.v4_root =
		v4->netmask == 96 && v4->node_value < frame->node_count ? v4->node_value : NO_NODE;
	r = intern_init(&w.offsets);
	if (!r)
		r = walk_tree(&w, ret_why);
	intern_done(&w.offsets);
	strbuf_done(&w.values);
	return r;
}

/*
 * A copy of the file that nobody else can change: libmaxminddb maps what it opens, and a mapped
 * file that gets shorter kills the process (SIGBUS).
 */
static int copy_file(int fd, off_t size, int *ret_copy)
{
	_cleanup_close_ int copy = memfd_create("mmdb", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	off_t done = 0;

	if (copy < 0)
		return -errno;
	while (done < size) {
		ssize_t n = sendfile(copy, fd, &done, (size_t)(size - done));

		if (n < 0 && errno != EINTR)
			return -errno;
		if (!n)
			return -ESTALE;
	}
	if (fcntl(copy, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		return -errno;
	*ret_copy = take_fd(&copy);
	return 0;
}

static int read_checked(int copy, MmdbFrame *frame, GeoRows *rows, Why *ret_why)
{
	char path[64];
	MMDB_s mmdb;
	int r;

	/* The library opens by path only. */
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", copy);
	r = MMDB_open(path, MMDB_MODE_MMAP, &mmdb);
	if (r != MMDB_SUCCESS) {
		why_set(ret_why, "libmaxminddb can't open it: %s", MMDB_strerror(r));
		return r == MMDB_OUT_OF_MEMORY_ERROR ? -ENOMEM : -EBADMSG;
	}
	rows->built_s = mmdb.metadata.build_epoch;
	r = walk_database(&mmdb, frame, rows, ret_why);
	MMDB_close(&mmdb);
	return r;
}

int geodb_mmdb_read(int fd, off_t size, GeoRows *rows, Why *ret_why)
{
	_cleanup_close_ int copy = -1;
	_cleanup_(mmdb_frame_done) MmdbFrame frame = {0};
	Why why = {0};
	void *bytes;
	int r = copy_file(fd, size, &copy);

	if (!r) {
		bytes = mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, copy, 0);
		if (bytes == MAP_FAILED) {
			r = -errno;
		} else {
			rows->size_bytes = (uint64_t)size;
			rows->hash = digest_bytes(bytes, (size_t)size);
			r = mmdb_frame_init(&frame, bytes, (size_t)size, &why);
			if (!r)
				r = read_checked(copy, &frame, rows, &why);
			(void)munmap(bytes, (size_t)size);
		}
	}
	if (r == -ESTALE) {
		why_set(ret_why, "the file got shorter while it was read");
		return -EBADMSG;
	}
	if (r < 0)
		why_set(ret_why, "%s", why.text[0] ? why.text : strerror(-r));
	return r;
}
