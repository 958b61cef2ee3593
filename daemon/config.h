/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * The configuration: one table of options (group, name, type, range, default, unit, help) from which reading,
 * checking, `check-config --dump`, the manual's table and the default file are made or checked.
 * libconfig syntax; unknown groups and keys are errors that name the nearest known one.
 */

#include "base/strbuf.h"

typedef enum ReportTransport {
	REPORT_SMTP,
	REPORT_SENDMAIL,
} ReportTransport;

typedef enum ReportAttach {
	REPORT_ATTACH_NEW, /* the rows of the report */
	REPORT_ATTACH_WHOLE,
	REPORT_ATTACH_NONE,
} ReportAttach;

typedef enum ReportEmpty {
	REPORT_EMPTY_SEND,
	REPORT_EMPTY_SKIP,
} ReportEmpty;

typedef struct Config {
	char *path;      /* the file it came from; NULL: defaults alone */
	unsigned *lines; /* of each option of the table, where path sets it; 0: it is the default */
	struct {
		char *working_dir;
		char *state_dir;
		char **mail_log; /* NULL-terminated, at least one */
		char *csv_filename;
	} paths;
	struct {
		uint64_t quiet_warning_ms; /* 0: never */
		int type; /* SourceKind of state/checkpoint.h; SOURCE_UNDECIDED is "auto" */
		char *journal_directory; /* "" is the system's journal */
	} source;
	struct {
		char **email; /* NULL-terminated, none: nothing is sent */
		char *subject_prefix;
		char *sender_override; /* "" is user@host */
		int transport;         /* ReportTransport */
		char *smtp_url;
		char *smtp_user;          /* "" is none */
		char *smtp_password_file; /* "" is none */
		char *sendmail_path;
		int attach; /* ReportAttach */
		uint64_t max_attachment_bytes;
		int when_empty; /* ReportEmpty */
	} report;
	struct {
		char *country_db_path; /* absolute after loading: default state_dir/db/user-country.mmdb */
		char **country_db_url;          /* NULL-terminated, none: it is not fetched */
		char **country_db_checksum_url; /* none, one, or as many as there are URLs */
	} geolocation;
	struct {
		char *asn_db_path; /* default state_dir/db/origin-asn.mmdb */
		char **asn_db_url, **asn_db_checksum_url;
	} asn_aso;
	struct {
		int log_level;  /* LogLevel of daemon/log.h */
		char *log_file; /* "" is none */
		uint64_t log_file_max_bytes;
		unsigned log_file_backup_count;
		bool journal_events;
	} general;
	struct {
		bool enabled;
		char *servers; /* "" takes resolv.conf's */
		unsigned timeout_ms;
		unsigned tries;
		unsigned max_in_flight;
	} dns;
	struct {
		bool enabled;
		unsigned size;
		unsigned ttl_seconds;
	} dns_cache;
	struct {
		int db_type;   /* SqlDialect */
		char *db_path; /* absolute after loading: default state_dir/maillogsentinel.sqlite */
		char *db_host;    /* "": this one, by a socket */
		unsigned db_port; /* 0: the usual one */
		char *db_socket;  /* "": the usual one */
		char *db_name;
		char *db_user;          /* "": as the process's */
		char *db_password_file; /* "" is none */
		int db_tls;             /* 0 off, 1 prefer, 2 require, 3 verify */
		char *db_ca_file;       /* "" is the system's */
		char *table;            /* of sql_name_valid() */
		char **columns;         /* NULL-terminated, of sql_table_map() */
		char *sql_export_dir;   /* absolute after loading: default state_dir/sql */
	} database;
	struct {
		char *ip_update_schedule; /* of base/calspec.h; "" and "off" are never */
		uint64_t ip_update_random_delay_ms;
		char *report_schedule, *sql_export_schedule, *sql_import_schedule;
	} schedule;
	struct {
		char *textfile; /* "" is none */
	} metrics;
} Config;

/*
 * Reads path; NULL reads the default place, and when there is no file there takes the defaults. 0; -EINVAL when there are
 * mistakes (ret_errors: one "path:line: group.key: why" per line, every mistake of the file, in its order); another -errno
 * with ret_errors when it can't be read. What is in ret_errors is escaped and can be printed as it is.
 */
int config_load(const char *path, Config **ret_config, StrBuf *ret_errors);

enum { CONFIG_MISTAKES = 1 };

/*
 * For who only looks at what another process does: paths.state_dir, heap memory. 0; CONFIG_MISTAKES with ret_errors, as config_load()
 * has them: then it is what the file says nevertheless, else the default; -errno with ret_errors.
 */
int config_find_state_dir(const char *path, char **ret_state_dir, StrBuf *ret_errors);

void config_free(Config *config);
DEFINE_CLEANUP(Config *, config_freep, config_free)

/*
 * Whether the paths can be used by the user who runs this: directories are there and writable, files that are there can be
 * read, no two options name the same file. Appends lines as config_load does, to ret_errors what makes work impossible, to ret_notes
 * what may come later by itself (a log that is not there yet, a database that was not fetched). 0; -EINVAL when there are
 * errors; -ENOMEM.
 */
int config_check_paths(const Config *config, StrBuf *ret_errors, StrBuf *ret_notes);

/* Of that, all but what is written: for a configuration whose directories are yet to be made. */
int config_check_inputs(const Config *config, StrBuf *ret_errors, StrBuf *ret_notes);

/*
 * Of that, whether a database would take the place of another file of this program or of a log. Appends to ret_errors; 0; -EINVAL when
 * there are errors; -ENOMEM.
 */
int config_check_databases(const Config *config, StrBuf *ret_errors);

/* Appends the effective values as a configuration file that reads back to the same values. */
void config_dump(const Config *config, StrBuf *sb);

/* The full path of the CSV, heap memory; NULL when out of memory. */
char *config_csv_path_dup(const Config *config);

struct SqlTable; /* of store/sql.h */

/* What the table and its columns are called in the database. 0; -EINVAL with *ret_why never of a configuration that was loaded. */
int config_sql_table(const Config *config, struct SqlTable *ret_table, Why *ret_why);

/* The full path of the image of the databases, heap memory; NULL when out of memory. */
char *config_image_path_dup(const Config *config);
