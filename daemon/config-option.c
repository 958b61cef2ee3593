/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/config-option.h"

#include "state/checkpoint.h"
#include "store/sql.h"

#include <ctype.h>

const ConfigGroup config_groups[] = {
	{"paths", "Where things are."},
	{"source", "What is read, and when its silence is worth a warning."},
	{"report", "The mail that says what happened."},
	{"geolocation", "The database of countries."},
	{"ASN_ASO", "The database of networks and the organisations that run them."},
	{"general", "The program's own log."},
	{"dns", "Names of addresses, by reverse DNS."},
	{"dns_cache", "The names that were asked for are remembered."},
	{"database", "The database that the rows go to as well, for questions over years."},
	{"schedule", "When the service does what is done from time to time."},
	{"metrics", "What the service does, for Prometheus."},
};
const size_t config_group_count = ARRAY_SIZE(config_groups);

static const char *const source_types[] = {
	[SOURCE_UNDECIDED] = "auto",
	[SOURCE_FILE] = "file",
	[SOURCE_JOURNAL] = "journal",
	NULL,
};

static const char *const report_transports[] = {
	[REPORT_SMTP] = "smtp",
	[REPORT_SENDMAIL] = "sendmail",
	NULL,
};

static const char *const report_attach[] = {
	[REPORT_ATTACH_NEW] = "new",
	[REPORT_ATTACH_WHOLE] = "whole",
	[REPORT_ATTACH_NONE] = "none",
	NULL,
};

static const char *const report_when_empty[] = {
	[REPORT_EMPTY_SEND] = "send",
	[REPORT_EMPTY_SKIP] = "skip",
	NULL,
};

static const char *const database_types[] = {
	[SQL_SQLITE] = "sqlite",
	[SQL_POSTGRESQL] = "postgresql",
	[SQL_MYSQL] = "mysql",
	NULL,
};

static const char *const database_tls[] = {"off", "prefer", "require", "verify", NULL};

#define FIELD(field) offsetof(Config, field)
#define RELEASE_URL "https://github.com/sapics/ip-location-db/releases/download/"

const ConfigOption config_options[] = {
	{"paths", "working_dir", CONFIG_PATH, FIELD(paths.working_dir), "/var/log/maillogsentinel",
		.help = "Directory of the CSV."},
	{"paths", "state_dir", CONFIG_PATH, FIELD(paths.state_dir), "/var/lib/maillogsentinel",
		.needs_restart = true,
		.help = "Directory of the state: how far the logs are read, and the databases."},
	{"paths", "mail_log", CONFIG_PATHS, FIELD(paths.mail_log), "/var/log/mail.log",
		.help = "Postfix's log, or a list of logs and patterns, \"/var/log/*/mail.log\"; "
			"what is not there yet is waited for."},
	{"paths", "csv_filename", CONFIG_FILE_NAME, FIELD(paths.csv_filename),
		"maillogsentinel.csv", .help = "Name of the CSV in working_dir."},

	{"source", "type", CONFIG_CHOICE, FIELD(source.type), "auto", .choices = source_types,
		.help = "What is read: \"file\" (paths.mail_log), \"journal\" (systemd's), or "
			"\"auto\": what is there at the first start."},
	{"source", "journal_directory", CONFIG_PATH, FIELD(source.journal_directory), "",
		.may_be_empty = true,
		.help = "Directory of journal files that is read in place of the system's "
			"journal; \"\" is the system's."},
	{"source", "quiet_warning", CONFIG_DURATION, FIELD(source.quiet_warning_ms), "24 h",
		.min = 0, .max = (uint64_t)365 * 24 * 3600 * 1000,
		.help = "How long a log may bring no line, or none of smtpd, before that is a "
			"warning; \"0\" is never."},

	{"report", "email", CONFIG_ADDRESSES, FIELD(report.email), "",
		.help = "Who gets the report, an address or a list of them; \"\" is nobody."},
	{"report", "subject_prefix", CONFIG_TEXT, FIELD(report.subject_prefix), "[MailLogSentinel]",
		.help = "What its subject begins with."},
	{"report", "sender_override", CONFIG_ADDRESS, FIELD(report.sender_override), "",
		.help = "The address that it comes from; \"\" is the service's user at this host."},
	{"report", "transport", CONFIG_CHOICE, FIELD(report.transport), "smtp",
		.choices = report_transports,
		.help = "How it is sent: \"smtp\" (to smtp_url) or \"sendmail\" (the program)."},
	{"report", "smtp_url", CONFIG_SMTP_URL, FIELD(report.smtp_url), "smtp://localhost:25",
		.help = "The mail server, such as \"smtps://mail.example.org:465\"."},
	{"report", "smtp_user", CONFIG_TEXT, FIELD(report.smtp_user), "",
		.help = "The user that it is told; \"\" is none."},
	{"report", "smtp_password_file", CONFIG_PATH, FIELD(report.smtp_password_file), "",
		.may_be_empty = true, .help = "File that holds the user's password; \"\" is none."},
	{"report", "sendmail_path", CONFIG_PATH, FIELD(report.sendmail_path), "/usr/sbin/sendmail",
		.help = "The program that takes mail as sendmail does."},
	{"report", "attach", CONFIG_CHOICE, FIELD(report.attach), "new", .choices = report_attach,
		.help = "What comes with it: \"new\" (its rows), \"whole\" (the CSV) or "
			"\"none\"."},
	{"report", "max_attachment", CONFIG_SIZE, FIELD(report.max_attachment_bytes), "10 MiB",
		.min = 4096, .max = (uint64_t)40 << 20,
		.help = "Size above which that is left out, packed as it is."},
	{"report", "when_empty", CONFIG_CHOICE, FIELD(report.when_empty), "send",
		.choices = report_when_empty,
		.help = "What is done when there is nothing to report: \"send\" or \"skip\"."},

	{"geolocation", "country_db_path", CONFIG_PATH, FIELD(geolocation.country_db_path), "",
		.may_be_empty = true,
		.help = "Database of countries, MMDB or CSV; \"\" is db/user-country.mmdb in "
			"state_dir."},
	{"geolocation", "country_db_url", CONFIG_URLS, FIELD(geolocation.country_db_url),
		RELEASE_URL "latest/user-country.mmdb",
		.help = "Where update-db fetches it, or a list where a CSV comes in parts; \"\" is "
			"nowhere."},
	{"geolocation", "country_db_checksum_url", CONFIG_URLS,
		FIELD(geolocation.country_db_checksum_url),
		RELEASE_URL "checksum/user-country.mmdb.sha256",
		.help = "Where its SHA-256 is, one for each URL or one for all; \"\" is nowhere."},

	{"ASN_ASO", "asn_db_path", CONFIG_PATH, FIELD(asn_aso.asn_db_path), "",
		.may_be_empty = true,
		.help = "Database of networks, MMDB or CSV; \"\" is db/origin-asn.mmdb in "
			"state_dir."},
	{"ASN_ASO", "asn_db_url", CONFIG_URLS, FIELD(asn_aso.asn_db_url),
		RELEASE_URL "latest/origin-asn.mmdb",
		.help = "Where update-db fetches it, or a list where a CSV comes in parts; \"\" is "
			"nowhere."},
	{"ASN_ASO", "asn_db_checksum_url", CONFIG_URLS, FIELD(asn_aso.asn_db_checksum_url),
		RELEASE_URL "checksum/origin-asn.mmdb.sha256",
		.help = "Where its SHA-256 is, one for each URL or one for all; \"\" is nowhere."},

	{"general", "log_level", CONFIG_LOG_LEVEL, FIELD(general.log_level), "INFO",
		.help = "The least that is logged: DEBUG, INFO, WARNING or ERROR."},
	{"general", "log_file", CONFIG_PATH, FIELD(general.log_file), "", .may_be_empty = true,
		.help = "File that gets the program's log too, beside the journal; \"\" is none."},
	{"general", "log_file_max_bytes", CONFIG_SIZE, FIELD(general.log_file_max_bytes), "1 MiB",
		.min = 4096, .max = (uint64_t)1 << 40,
		.help = "Size at which log_file is rotated, to log_file.1 and so on."},
	{"general", "log_file_backup_count", CONFIG_NUMBER, FIELD(general.log_file_backup_count),
		"5", .min = 0, .max = 100, .help = "Rotated log files that are kept."},
	{"general", "journal_events", CONFIG_BOOL, FIELD(general.journal_events), "false",
		.help = "Whether each failed login is logged too; in the journal it has fields to "
			"look for."},

	{"dns", "enabled", CONFIG_BOOL, FIELD(dns.enabled), "true",
		.help = "Whether addresses are looked up at all; without, their status is Off."},
	{"dns", "servers", CONFIG_TEXT, FIELD(dns.servers), "",
		.help = "Name servers, such as \"127.0.0.1:53,[::1]:53\"; \"\" takes those of "
			"/etc/resolv.conf."},
	{"dns", "timeout_ms", CONFIG_NUMBER, FIELD(dns.timeout_ms), "1000", .min = 50, .max = 60000,
		.unit = "ms",
		.help = "How long the first try for a name waits; each further try waits twice as "
			"long."},
	{"dns", "tries", CONFIG_NUMBER, FIELD(dns.tries), "2", .min = 1, .max = 8,
		.help = "Tries for a name until the status is Timeout."},
	/* Above 256 the answers overflow the socket's receive buffer. */
	{"dns", "max_in_flight", CONFIG_NUMBER, FIELD(dns.max_in_flight), "128", .min = 1,
		.max = 256, .help = "Questions that wait for their answer at the same time."},

	{"dns_cache", "enabled", CONFIG_BOOL, FIELD(dns_cache.enabled), "true",
		.help = "Whether answers are remembered."},
	/*
	 * One new address a second for the whole of ttl_seconds: below that, an attack from many addresses, which come
	 * back every few minutes, would push each name out before it is asked for again. It costs about 1 MiB.
	 */
	{"dns_cache", "size", CONFIG_NUMBER, FIELD(dns_cache.size), "4096", .min = 1,
		.max = 1048576, .unit = "answers", .help = "Answers that are remembered."},
	{"dns_cache", "ttl_seconds", CONFIG_NUMBER, FIELD(dns_cache.ttl_seconds), "3600", .min = 1,
		.max = 604800, .unit = "s",
		.help = "How long an answer is remembered at most; less when its own TTL says so."},

	{"database", "db_type", CONFIG_CHOICE, FIELD(database.db_type), "sqlite",
		.choices = database_types,
		.help = "What it is: \"sqlite\" (a file), \"postgresql\", or \"mysql\" (MariaDB, "
			"too)."},
	{"database", "db_path", CONFIG_PATH, FIELD(database.db_path), "", .may_be_empty = true,
		.help = "File of SQLite's database; \"\" is maillogsentinel.sqlite in state_dir."},
	{"database", "db_host", CONFIG_TEXT, FIELD(database.db_host), "",
		.help = "Host of the server; \"\" is this one, by its socket."},
	{"database", "db_port", CONFIG_NUMBER, FIELD(database.db_port), "0", .min = 0, .max = 65535,
		.help = "Its port; 0 is the usual one."},
	{"database", "db_socket", CONFIG_PATH, FIELD(database.db_socket), "", .may_be_empty = true,
		.help = "Socket of the server, of PostgreSQL its directory; \"\" is the usual "
			"one."},
	{"database", "db_name", CONFIG_TEXT, FIELD(database.db_name), "maillogsentinel",
		.help = "Name of the database on the server."},
	{"database", "db_user", CONFIG_TEXT, FIELD(database.db_user), "",
		.help = "User of the database; \"\" is called as the service's user."},
	{"database", "db_password_file", CONFIG_PATH, FIELD(database.db_password_file), "",
		.may_be_empty = true,
		.help = "File that holds that user's password; \"\" is none."},
	{"database", "db_tls", CONFIG_CHOICE, FIELD(database.db_tls), "prefer",
		.choices = database_tls,
		.help = "TLS to db_host: \"off\", \"prefer\", \"require\", or \"verify\" (with a "
			"certificate that is good for db_host)."},
	{"database", "db_ca_file", CONFIG_PATH, FIELD(database.db_ca_file), "",
		.may_be_empty = true,
		.help = "Certificates that \"verify\" trusts; \"\" are the system's."},
	{"database", "table", CONFIG_SQL_NAME, FIELD(database.table), "failed_logins",
		.help = "Name of the table, and what the names of the views begin with."},
	{"database", "columns", CONFIG_COLUMNS, FIELD(database.columns), "",
		.help = "Columns that are called otherwise there (\"user=login\") or left out "
			"(\"user=\"), or a list of such."},
	{"database", "sql_export_dir", CONFIG_PATH, FIELD(database.sql_export_dir), "",
		.may_be_empty = true,
		.help = "Directory of the files that sql-export writes; \"\" is sql in state_dir."},

	{"schedule", "ip_update_schedule", CONFIG_SCHEDULE, FIELD(schedule.ip_update_schedule),
		"weekly",
		.help = "When the databases are fetched anew, such as \"weekly\" or \"Mon..Fri "
			"06:00\"; \"off\" is never."},
	{"schedule", "ip_update_random_delay", CONFIG_DURATION,
		FIELD(schedule.ip_update_random_delay_ms), "6 h", .min = 0,
		.max = (uint64_t)30 * 24 * 3600 * 1000,
		.help = "How much later than that it may begin, by chance."},
	{"schedule", "report_schedule", CONFIG_SCHEDULE, FIELD(schedule.report_schedule), "23:59",
		.help = "When the report is sent, such as \"23:59\" or \"Mon..Fri 06:00\"; "
			"\"off\" is never."},
	{"schedule", "sql_export_schedule", CONFIG_SCHEDULE, FIELD(schedule.sql_export_schedule),
		"",
		.help = "When sql-export writes what is new, such as \"*:0/5\"; \"\" is never."},
	{"schedule", "sql_import_schedule", CONFIG_SCHEDULE, FIELD(schedule.sql_import_schedule),
		"",
		.help = "When sql-import takes it into the database, such as \"*:0/5\"; \"\" is "
			"never."},

	{"metrics", "textfile", CONFIG_PATH, FIELD(metrics.textfile), "", .may_be_empty = true,
		.help = "File with metrics for node_exporter's textfile collector, NAME.prom; "
			"\"\" is none."},
};
const size_t config_option_count = ARRAY_SIZE(config_options);

#define NAME_LENGTH_MAX 40 /* longer names are like no known one */

/* Edit distance with swaps of neighbours (optimal string alignment), blind to case. */
static unsigned name_distance(const char *a, const char *b)
{
	unsigned row[3][NAME_LENGTH_MAX + 1];
	size_t a_len = strlen(a), b_len = strlen(b);

	if (a_len > NAME_LENGTH_MAX || b_len > NAME_LENGTH_MAX)
		return UINT32_MAX;
	for (size_t j = 0; j <= b_len; j++)
		row[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a_len; i++) {
		unsigned *now = row[i % 3], *last = row[(i + 2) % 3], *before = row[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (size_t j = 1; j <= b_len; j++) {
			int x = tolower((unsigned char)a[i - 1]),
			    y = tolower((unsigned char)b[j - 1]);

			now[j] = MIN(MIN(last[j], now[j - 1]) + 1, last[j - 1] + (x != y));
			if (i > 1 && j > 1 && x == tolower((unsigned char)b[j - 2]) &&
				y == tolower((unsigned char)a[i - 2]))
				now[j] = MIN(now[j], before[j - 2] + 1);
		}
	}
	return row[a_len % 3][b_len];
}

/* A third of the name may be wrong; what is further away was not meant. */
static bool is_near(const char *name, unsigned distance)
{
	return distance <= MAX(strlen(name) / 3, (size_t)1);
}

const ConfigOption *config_option_find(
	const char *group, const char *key, const ConfigOption **ret_nearest)
{
	const ConfigOption *nearest = NULL;
	unsigned best = UINT32_MAX;

	for (size_t i = 0; i < config_option_count; i++) {
		const ConfigOption *option = &config_options[i];
		bool other = strcmp(option->group, group) != 0;
		/* The same key in another group is nearer than half a key of this one; a similar one elsewhere is not. */
		unsigned distance = name_distance(key, option->key);

		if (!other && !strcmp(option->key, key))
			return option;
		if (!is_near(key, distance))
			continue;
		distance = 2 * distance + other;
		if (distance < best) {
			best = distance;
			nearest = option;
		}
	}
	if (ret_nearest)
		*ret_nearest = nearest;
	return NULL;
}

const ConfigGroup *config_group_find(const char *name, const ConfigGroup **ret_nearest)
{
	const ConfigGroup *nearest = NULL;
	unsigned best = UINT32_MAX;

	for (size_t i = 0; i < config_group_count; i++) {
		unsigned distance = name_distance(name, config_groups[i].name);

		if (!strcmp(config_groups[i].name, name))
			return &config_groups[i];
		if (is_near(name, distance) && distance < best) {
			best = distance;
			nearest = &config_groups[i];
		}
	}
	if (ret_nearest)
		*ret_nearest = nearest;
	return NULL;
}
