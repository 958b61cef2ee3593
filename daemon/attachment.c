/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "daemon/attachment.h"

#define NAME_BYTES_MAX ((size_t)200) /* of the CSV's, before what is added */

void attachment_done(Attachment *attachment)
{
	packer_free(attachment->packer);
	strbuf_done(&attachment->bytes);
}

static void give_up(Attachment *attachment)
{
	packer_free(TAKE(attachment->packer));
	strbuf_done(&attachment->bytes);
	attachment->bytes = STRBUF_INIT;
	attachment->too_large = true;
}

/* What has come so far becomes what is packed first. 0 or -errno. */
static int start_packing(Attachment *attachment)
{
	_cleanup_strbuf_ StrBuf plain = attachment->bytes;
	int r;

	attachment->bytes = STRBUF_INIT;
	attachment->packed = true;
	r = packer_new(&attachment->bytes, &attachment->packer);
	if (!r)
		r = packer_add(attachment->packer, (Span){strbuf_text(&plain), plain.len});
	return r;
}

int attachment_add(Attachment *attachment, Span bytes)
{
	size_t plain_max = MIN(ATTACHMENT_PLAIN_MAX, attachment->limit_bytes);
	int r = 0;

	if (attachment->too_large)
		return 0;
	if (!attachment->packed && attachment->bytes.len + bytes.len <= plain_max) {
		strbuf_append_span(&attachment->bytes, bytes);
		return strbuf_error(&attachment->bytes);
	}
	if (!attachment->packed)
		r = start_packing(attachment);
	if (!r)
		r = packer_add(attachment->packer, bytes);
	if (!r && attachment->bytes.len > attachment->limit_bytes)
		give_up(attachment);
	return r;
}

int attachment_end(Attachment *attachment)
{
	int r = attachment->packer ? packer_end(attachment->packer) : 0;

	packer_free(TAKE(attachment->packer));
	if (!r && attachment->bytes.len > attachment->limit_bytes)
		give_up(attachment);
	return r;
}

char *attachment_name_dup(const Attachment *attachment, const char *csv_name, const char *day)
{
	_cleanup_strbuf_ StrBuf sb = STRBUF_INIT;
	size_t len = strlen(csv_name);

	if (len > 4 && !strcmp(csv_name + len - 4, ".csv"))
		len -= 4;
	/* A file's name may be as long as one can be. */
	if (len > NAME_BYTES_MAX)
		for (len = NAME_BYTES_MAX; len && (csv_name[len] & 0xc0) == 0x80;)
			len--;
	strbuf_append(&sb, csv_name, len);
	if (day)
		strbuf_appendf(&sb, "-%s", day);
	strbuf_appendf(&sb, ".csv%s", attachment->packed ? ".gz" : "");
	return strbuf_take(&sb);
}
