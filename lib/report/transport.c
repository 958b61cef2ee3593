/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "report/transport.h"

#include "base/file.h"
#include "report/sendmail.h"
#include "report/smtp-url.h"
#include "report/smtp.h"

#include <fcntl.h>
#include <sys/stat.h>

#define PASSWORD_MAX ((size_t)1024) /* bytes, of the file */

int transport_check_url(const char *url, Why *ret_why)
{
	SmtpUrl parsed;

	return smtp_url_parse(url, &parsed, ret_why);
}

/* ---- the password ---------------------------------------------------------------------------- */

static int fail(Why *ret_why, int error, const char *why)
{
	why_set(ret_why, "%s", why);
	return error;
}

/* A descriptor of the file, or -errno. */
static int open_password_file(const char *path, Why *ret_why)
{
	/* A pipe would be waited for. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0) {
		r = -errno;
		return fail(ret_why, r, strerror(-r));
	}
	if (!S_ISREG(st.st_mode))
		return fail(ret_why, -EINVAL, "is not a regular file");
	if (st.st_mode & S_IRWXO)
		return fail(ret_why, -EACCES,
			"can be read by everybody on this host (chmod o= would change that)");
	if (st.st_size > (off_t)PASSWORD_MAX)
		return fail(ret_why, -EFBIG, "is longer than a password");
	return take_fd(&fd);
}

int transport_check_password_file(const char *path, Why *ret_why)
{
	_cleanup_close_ int fd = open_password_file(path, ret_why);

	return MIN(fd, 0);
}

/* The first line; 0 or -errno. */
static int read_password(const char *path, char password[PASSWORD_MAX + 1], Why *ret_why)
{
	_cleanup_close_ int fd = open_password_file(path, ret_why);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = file_pread_full(fd, password, PASSWORD_MAX, 0);
	if (n < 0)
		return fail(ret_why, (int)n, strerror((int)-n));
	password[n] = '\0';
	password[strcspn(password, "\r\n")] = '\0';
	return *password ? 0 : fail(ret_why, -EINVAL, "holds no password in its first line");
}

/* ---- sending --------------------------------------------------------------------------------- */

static int send_by_smtp(const TransportOptions *options, const char *from, const char *const *to,
	size_t to_count, Span message, Delivery *ret_deliveries, Why *ret_why)
{
	char password[PASSWORD_MAX + 1] = "";
	SmtpOptions smtp = {
		.url = options->url,
		.connect_ms = TRANSPORT_CONNECT_S * 1000,
		.answer_ms = TRANSPORT_ANSWER_S * 1000,
		.last_answer_ms = TRANSPORT_LAST_ANSWER_S * 1000,
		.total_ms = TRANSPORT_TOTAL_S * 1000,
	};
	int r = 0;

	if (options->user && *options->user) {
		const char *path = options->password_file ? options->password_file : "";
		Why why = {"there is a user, but no file with a password"};

		r = *path ? read_password(path, password, &why) : -EINVAL;
		if (r < 0)
			why_set(ret_why, "%s%s%s", path, *path ? ": " : "", why.text);
		smtp.user = options->user;
		smtp.password = password;
	}
	if (!r)
		r = smtp_send(&smtp, from, to, to_count, message, ret_deliveries, ret_why);
	explicit_bzero(password, sizeof(password));
	return r;
}

int transport_send(const TransportOptions *options, const char *from, const char *const *to,
	size_t to_count, Span message, Delivery *ret_deliveries, Why *ret_why)
{
	for (size_t i = 0; i < to_count; i++)
		ret_deliveries[i] = DELIVERY_LATER;
	if (!options->sendmail)
		return send_by_smtp(options, from, to, to_count, message, ret_deliveries, ret_why);
	return sendmail_send(options->sendmail_path, TRANSPORT_TOTAL_S * 1000, from, to, to_count,
		message, ret_deliveries, ret_why);
}
