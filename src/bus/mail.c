// SPDX-License-Identifier: GPL-3.0-or-later
//
// A message as text (RFC 5322, MIME): one part of plain text in UTF-8, quoted-printable, so that any
// relay carries it and a person can read it as it stands.
#include "bus/internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LINE_MAX_BYTES 75 // RFC 2045 section 6.7, RFC 2047 section 2

static const char hex_digits[] = "0123456789ABCDEF";

static void add_escaped(struct buf *out, char c)
{
    unsigned char b = (unsigned char)c;
    buf_char(out, '=');
    buf_char(out, hex_digits[b >> 4]);
    buf_char(out, hex_digits[b & 15]);
}

// Quoted-printable (RFC 2045 section 6.7); line ends become CRLF.
void mail_write_body(struct buf *out, struct str text)
{
    size_t column = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '\n' || (c == '\r' && i + 1 < text.len && text.data[i + 1] == '\n')) {
            i += c == '\r';
            buf_cstr(out, "\r\n");
            column = 0;
            continue;
        }
        bool last =
            i + 1 == text.len || text.data[i + 1] == '\n' || text.data[i + 1] == '\r';
        bool plain =
            (c > ' ' && c < 127 && c != '=') || ((c == ' ' || c == '\t') && !last);
        if (column + (plain ? 1 : 3) > LINE_MAX_BYTES) {
            buf_cstr(out, "=\r\n");
            column = 0;
        }
        // A dot that begins a line is escaped, whatever the transport does about it.
        if (plain && !(column == 0 && c == '.')) {
            buf_char(out, c);
            column += 1;
        } else {
            add_escaped(out, c);
            column += 3;
        }
    }
    buf_cstr(out, "\r\n");
}

static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] < ' ' || s.data[i] >= 127) {
            return false;
        }
    }
    return s.len < 60;
}

// The length of the character at the beginning of s, which is UTF-8.
static size_t char_len(struct str s)
{
    unsigned char c = (unsigned char)s.data[0];
    return MIN(c < 0x80 ? 1u : c < 0xE0 ? 2u : c < 0xF0 ? 3u : 4u, s.len);
}

// A header's text, as encoded words (RFC 2047 section 4.2) where it is not plain. No word cuts a
// character in two.
void mail_write_subject(struct buf *out, struct str text)
{
    if (is_plain(text)) {
        buf_str(out, text);
        return;
    }
    static const char begin[] = "=?utf-8?q?";
    size_t column = 0;
    while (text.len) {
        size_t n = char_len(text);
        if (column == 0 || column + 3 * n + 2 > LINE_MAX_BYTES) {
            buf_cstr(out, column ? "?=\r\n " : "");
            buf_cstr(out, begin);
            column = sizeof begin - 1;
        }
        for (size_t i = 0; i < n; i++) {
            char c = text.data[i];
            bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                         (c >= 'A' && c <= 'Z') || c == '-' || c == '.';
            if (plain) {
                buf_char(out, c);
            } else {
                add_escaped(out, c);
            }
            column += plain ? 1 : 3;
        }
        text = (struct str){text.data + n, text.len - n};
    }
    buf_cstr(out, "?=");
}

// "Sun, 22 Nov 2026 18:39:00 +0000" (RFC 5322 section 3.3), in English whatever the locale.
static void write_date(struct buf *out, int64_t wall_us)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm t;
    if (gmtime_r(&seconds, &t)) {
        buf_printf(out, "%s, %02d %s %04d %02d:%02d:%02d +0000", days[t.tm_wday],
                   t.tm_mday, months[t.tm_mon], t.tm_year + 1900, t.tm_hour, t.tm_min,
                   t.tm_sec);
    }
}

bool mail_address_is_safe(const char *address)
{
    struct str s = str_of(address);
    const char *at = address ? strchr(address, '@') : NULL;
    if (!at || at == address || !at[1] || s.len > 254) {
        return false;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (s.data[i] <= ' ' || s.data[i] >= 127 || s.data[i] == '<' ||
            s.data[i] == '>') {
            return false;
        }
    }
    return true;
}

bool bus_mail_address_is_safe(const char *address)
{
    return mail_address_is_safe(address);
}

int mail_write(const struct mail_message *m, struct buf *out)
{
    // The same for each attempt, so that a receiver can tell one delivered twice.
    AUTO(buf_free) struct buf seed = {0};
    struct hash h;
    char hex[HASH_HEX_BYTES];
    buf_printf(&seed, "%lld %lld %s", (long long)m->id, (long long)m->created_us, m->to);
    TRY(seed.err);
    hash_of(seed.data, seed.len, &h);
    hash_hex(&h, hex);
    buf_cstr(out, "From: Marquee <");
    buf_cstr(out, m->from);
    buf_cstr(out, ">\r\nTo: <");
    buf_cstr(out, m->to);
    buf_cstr(out, ">\r\nSubject: ");
    mail_write_subject(out, str_of(m->subject));
    buf_cstr(out, "\r\nDate: ");
    write_date(out, m->created_us);
    buf_printf(out, "\r\nMessage-ID: <%.32s%s>\r\n", hex, strchr(m->from, '@'));
    buf_cstr(out, "Auto-Submitted: auto-generated\r\n"
                  "MIME-Version: 1.0\r\n"
                  "Content-Type: text/plain; charset=utf-8\r\n"
                  "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
    mail_write_body(out, str_of(m->text));
    return out->err;
}
