/* zip.c - members of a zip file, stored or deflated, out of memory and into a file.
 *
 * The format is that of PKWARE's APPNOTE.TXT, 4.3: members, each behind a local header, then a
 * central directory with a header for each, then an end record, behind which only a comment may
 * follow. What is believed is the directory; a local header says where its member begins. What
 * needs 64-bit sizes is refused, its local fields (which NumPy always writes) are not.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "base/zip.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/float_bits.h"

enum {
  LOCAL = 30, /* bytes of a local header without its name, and so on */
  CENTRAL = 46,
  END = 22,
  COMMENT_MAX = 65535,
  MEMBERS_MAX = 4096,
  DEFLATE_RATIO = 1032, /* more no byte of a deflated stream can say */
  VERSION = 20
};
static const uint32_t LOCAL_MAGIC = 0x04034b50, CENTRAL_MAGIC = 0x02014b50, END_MAGIC = 0x06054b50;

/* The bytes of the file. */
typedef struct archive {
  const unsigned char *b;
  size_t length;
  const char *file; /* its name */
} archive;

static uint32_t word(const archive *a, size_t at, int size) {
  return (uint32_t)mho__word(a->b + at, size);
}

static mho_err damaged(const archive *a, const char *why, mho_errinfo *ei) {
  return mho_fail_at(ei, MHO_EDATA, a->file, 0, "a zip file that is damaged: %s", why);
}

bool mho__zip_is(const void *bytes, size_t length) {
  return length >= 4 && (uint32_t)mho__word(bytes, 4) == LOCAL_MAGIC;
}

/* ---------------------------------------------------------------- the directory */

/* Where the end record begins; SIZE_MAX without one. */
static size_t find_end(const archive *a) {
  for (size_t behind = 0; behind <= COMMENT_MAX; behind++) {
    if (a->length < END + behind)
      break;
    size_t at = a->length - END - behind;
    if (word(a, at, 4) == END_MAGIC)
      return at;
  }
  return SIZE_MAX;
}

/* Where the bytes of a member begin, behind its local header and name. */
static mho_err find_bytes(const archive *a, size_t local, mho_zip_member *m, mho_errinfo *ei) {
  if (a->length < LOCAL || local > a->length - LOCAL || word(a, local, 4) != LOCAL_MAGIC)
    return damaged(a, "a member is not where the directory says", ei);

  size_t start = local + LOCAL + word(a, local + 26, 2) + word(a, local + 28, 2);
  if (start > a->length || m->packed_size > a->length - start)
    return damaged(a, "a member is cut short", ei);
  m->packed = a->b + start;
  return MHO_OK;
}

/* The member of the directory's header at `at`, which moves on behind it. */
static mho_err read_member(const archive *a, size_t *at, size_t end, mho_zip_member *m,
                           mho_errinfo *ei) {
  if (end - *at < CENTRAL || word(a, *at, 4) != CENTRAL_MAGIC)
    return damaged(a, "its directory is cut short", ei);

  uint32_t flags = word(a, *at + 8, 2), method = word(a, *at + 10, 2);
  size_t name = word(a, *at + 28, 2), local = word(a, *at + 42, 4);
  size_t whole = CENTRAL + name + word(a, *at + 30, 2) + word(a, *at + 32, 2);
  if (whole > end - *at || name >= MHO_ZIP_NAME)
    return damaged(a, "a name in its directory is too long", ei);

  memcpy(m->name, a->b + *at + CENTRAL, name);
  m->name[name] = 0;
  m->crc = word(a, *at + 16, 4);
  m->packed_size = word(a, *at + 20, 4);
  m->size = word(a, *at + 24, 4);
  m->deflated = method == 8;
  *at += whole;

  if (flags & 1)
    return mho_fail_at(ei, MHO_EDATA, a->file, 0, "'%s' in it is encrypted: save it without",
                       m->name);
  if (method != 0 && method != 8)
    return mho_fail_at(ei, MHO_EDATA, a->file, 0,
                       "'%s' in it is packed by method %u: save it with numpy.savez", m->name,
                       method);
  if (m->size == UINT32_MAX || m->packed_size == UINT32_MAX || local == UINT32_MAX)
    return mho_fail_at(ei, MHO_EDATA, a->file, 0, "a zip file beyond 4 GB: save smaller arrays");
  return find_bytes(a, local, m, ei);
}

mho_err mho__zip_open(const void *bytes, size_t length, const char *file, mho_zip_member **out,
                      int *n, mho_errinfo *ei) {
  archive a = {.b = bytes, .length = length, .file = file};
  size_t end = find_end(&a);
  *out = NULL;
  *n = 0;
  if (end == SIZE_MAX)
    return mho_fail_at(ei, MHO_EDATA, file, 0,
                       "not a zip file, or one that was cut short: save it with numpy.savez");

  size_t at = word(&a, end + 16, 4);
  int members = (int)word(&a, end + 10, 2);
  if (members > MEMBERS_MAX || at > end)
    return damaged(&a, "its end says more than there is", ei);

  *out = calloc((size_t)members + 1, sizeof **out);
  if (!*out)
    return mho_fail(ei, MHO_ENOMEM, "no memory for %d members of a zip file", members);
  for (; *n < members; ++*n) {
    mho_err err = read_member(&a, &at, end, &(*out)[*n], ei);
    if (!err)
      continue;
    free(*out);
    *out = NULL;
    return err;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- unpacking */

/* Whether a deflated member becomes exactly its size of bytes. */
static bool inflate_all(const mho_zip_member *m, unsigned char *out) {
  z_stream z = {.next_in = (unsigned char *)(uintptr_t)m->packed,
                .avail_in = (uInt)m->packed_size,
                .next_out = out,
                .avail_out = (uInt)m->size};
  if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
    return false;

  int end = inflate(&z, Z_FINISH);
  inflateEnd(&z);
  return end == Z_STREAM_END && z.avail_out == 0;
}

mho_err mho__zip_unpack(const mho_zip_member *m, const char *file, unsigned char **out,
                        mho_errinfo *ei) {
  archive a = {.file = file};
  *out = NULL;
  if (m->deflated && m->size / DEFLATE_RATIO > m->packed_size)
    return damaged(&a, "a member is said to be larger than it can be", ei);
  if (!m->deflated && m->size != m->packed_size)
    return damaged(&a, "a member that is not packed has two sizes", ei);

  *out = malloc(m->size + 1);
  if (!*out)
    return mho_fail(ei, MHO_ENOMEM, "no memory for the %zu bytes of '%s'", m->size, m->name);

  bool whole = !m->deflated || inflate_all(m, *out);
  if (!m->deflated)
    memcpy(*out, m->packed, m->size);
  if (whole && crc32_z(0, *out, m->size) == m->crc)
    return MHO_OK;

  free(*out);
  *out = NULL;
  return damaged(&a, "a member is not what was saved (its checksum differs)", ei);
}

/* ---------------------------------------------------------------- writing */

static void put(unsigned char *at, uint32_t v, int size) {
  for (int k = 0; k < size; k++)
    at[k] = (unsigned char)(v >> 8 * k);
}

/* What both headers of a member say, from the version that is needed to the lengths of name and
 * extra field: 26 bytes. The date is 1980-01-01, so that the same weights are the same file. */
static void put_common(unsigned char *at, uint32_t crc, size_t size, size_t name) {
  memset(at, 0, 26);
  put(at, VERSION, 2);
  put(at + 8, 1 << 5 | 1, 2);
  put(at + 10, crc, 4);
  put(at + 14, (uint32_t)size, 4);
  put(at + 18, (uint32_t)size, 4);
  put(at + 22, (uint32_t)name, 2);
}

/* A member's header in the directory. */
static bool add_to_directory(mho_zip_writer *z, const char *name, uint32_t crc, size_t size) {
  size_t length = strlen(name), need = z->size + CENTRAL + length;
  if (need > z->capacity) {
    char *bigger = realloc(z->directory, 2 * need);
    if (!bigger)
      return false;
    z->directory = bigger;
    z->capacity = 2 * need;
  }

  unsigned char *at = (unsigned char *)z->directory + z->size;
  memset(at, 0, CENTRAL);
  put(at, CENTRAL_MAGIC, 4);
  put(at + 4, VERSION, 2);
  put_common(at + 6, crc, size, length);
  put(at + 42, z->at, 4);
  memcpy(at + CENTRAL, name, length);
  z->size = need;
  z->n++;
  return true;
}

mho_err mho__zip_write(mho_zip_writer *z, const char *name, const void *head, size_t head_size,
                       const void *body, size_t body_size, mho_errinfo *ei) {
  unsigned char local[LOCAL];
  size_t size = head_size + body_size, length = strlen(name);
  uint32_t crc = (uint32_t)crc32_z(crc32_z(0, head, head_size), body, body_size);

  if ((double)z->at + LOCAL + (double)length + (double)size + (double)z->size > UINT32_MAX / 2)
    return mho_fail(ei, MHO_EINVAL, "the weights are more than a .npz file takes: use safetensors");
  if (!add_to_directory(z, name, crc, size))
    return mho_fail(ei, MHO_ENOMEM, "no memory for the directory of a zip file");

  put(local, LOCAL_MAGIC, 4);
  put_common(local + 4, crc, size, length);
  fwrite(local, 1, LOCAL, z->f);
  fwrite(name, 1, length, z->f);
  fwrite(head, 1, head_size, z->f);
  fwrite(body, 1, body_size, z->f);
  z->at += (uint32_t)(LOCAL + length + size);
  return MHO_OK;
}

void mho__zip_end(mho_zip_writer *z) {
  unsigned char end[END] = {0};
  put(end, END_MAGIC, 4);
  put(end + 8, (uint32_t)z->n, 2);
  put(end + 10, (uint32_t)z->n, 2);
  put(end + 12, (uint32_t)z->size, 4);
  put(end + 16, z->at, 4);

  fwrite(z->directory, 1, z->size, z->f);
  fwrite(end, 1, END, z->f);
  free(z->directory);
  z->directory = NULL;
}
