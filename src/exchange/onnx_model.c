/* onnx_model.c - what an ONNX file has: operators, constants, the input.
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "exchange/onnx_model.h"

#include <stdlib.h>
#include <string.h>

#include "base/float_bits.h"

/* A model that is being read. */
typedef struct reader {
  const char *file;
  mho_onnx_model *m;
  mho_errinfo *ei;
  bool damaged;
} reader;

static mho_err cut_short(const reader *r) {
  return mho_fail_at(r->ei, MHO_EDATA, r->file, 0,
                     "not an ONNX model, or one that was damaged: torch.onnx.export writes such a "
                     "file");
}

/* The bytes of a field as a text of at most capacity - 1 bytes. @return false where they are more,
 * or no text. */
static bool copy_text(const mho_pb_field *f, size_t capacity, char *out) {
  size_t n = mho__pb_size(&f->bytes);
  *out = 0;
  if (f->kind != MHO_PB_BYTES || n >= capacity || memchr(f->bytes.at, 0, n))
    return false;
  memcpy(out, f->bytes.at, n);
  out[n] = 0;
  return mho_text_is_plain(out);
}

static mho_err take_name(const reader *r, const mho_pb_field *f, size_t capacity, char *out) {
  if (copy_text(f, capacity, out))
    return MHO_OK;
  return mho_fail_at(r->ei, MHO_EDATA, r->file, 0,
                     "a name in it is no text of less than %zu bytes: export again with shorter "
                     "names",
                     capacity);
}

/* ---------------------------------------------------------------- tensors */

/* What a TensorProto says. */
typedef struct description {
  int n_dims;
  int64_t dim[MHO_TENSOR_DIMS];
  int type;
  mho_pb name, raw;
  mho_pb_field first; /* of the numbers that are not raw */
  bool external;
} description;

/* Add a dimension. @return false where there are too many. */
static bool add_dim(description *t, uint64_t v) {
  if (t->n_dims == MHO_TENSOR_DIMS)
    return false;
  t->dim[t->n_dims++] = (int64_t)v;
  return true;
}

static bool take_dims(description *t, const mho_pb_field *f) {
  if (f->kind == MHO_PB_VARINT)
    return add_dim(t, f->word);

  mho_pb packed = f->bytes;
  uint64_t v;
  while (packed.at < packed.end)
    if (!mho__pb_varint(&packed, &v) || !add_dim(t, v))
      return false;
  return true;
}

static bool scan_tensor(mho_pb message, description *t, bool *damaged) {
  mho_pb_field f;
  bool ok = true;
  while (ok && mho__pb_next(&message, &f, damaged)) {
    bool bytes = f.kind == MHO_PB_BYTES;
    if (f.number == TENSOR_DIMS)
      ok = take_dims(t, &f);
    else if (f.number == TENSOR_TYPE && !bytes)
      t->type = (int)(f.word & 63);
    else if (f.number == TENSOR_NAME && bytes)
      t->name = f.bytes;
    else if (f.number == TENSOR_RAW && bytes)
      t->raw = f.bytes;
    else if (f.number == TENSOR_EXTERNAL)
      t->external = true;
  }
  return ok && !*damaged;
}

/* A type of numbers that is taken; -1: none. */
static int number_type(int type) {
  switch (type) {
  case ONNX_FLOAT:
    return MHO_FLOAT32;
  case ONNX_DOUBLE:
    return MHO_FLOAT64;
  case ONNX_FLOAT16:
    return MHO_FLOAT16;
  case ONNX_BFLOAT16:
    return MHO_BFLOAT16;
  case ONNX_INT32:
    return MHO_INT32;
  case ONNX_INT64:
    return MHO_INT64;
  default:
    return -1;
  }
}

/* The field that has a type's numbers one by one. */
static int field_of(int type) {
  switch (type) {
  case ONNX_FLOAT:
    return TENSOR_FLOATS;
  case ONNX_DOUBLE:
    return TENSOR_DOUBLES;
  case ONNX_INT64:
    return TENSOR_LONGS;
  default:
    return TENSOR_INTS; /* 16-bit floats as whole numbers, too */
  }
}

/* A number from the word of a field. */
static double number_of(int type, uint64_t word) {
  unsigned char bytes[8];
  for (int k = 0; k < 8; k++)
    bytes[k] = (unsigned char)(word >> 8 * k);
  return mho__number_of((mho_number_type)number_type(type), bytes);
}

/* The next of packed numbers of a type. */
static bool next_packed(int type, mho_pb *packed, uint64_t *word) {
  bool wide = type == ONNX_DOUBLE;
  if (type != ONNX_FLOAT && !wide)
    return mho__pb_varint(packed, word);

  size_t size = wide ? 8 : 4;
  if (mho__pb_size(packed) < size)
    return false;
  *word = mho__word(packed->at, (int)size);
  packed->at += size;
  return true;
}

/* The numbers of a message that has them in fields of their own, packed or one by one; how many
 * were there, at most one more than are wanted. */
static size_t take_fields(mho_pb message, int type, mho_tensor *out) {
  mho_pb_field f;
  bool damaged = false;
  size_t n = 0;

  while (n <= out->count && mho__pb_next(&message, &f, &damaged)) {
    if (f.number != field_of(type))
      continue;
    uint64_t word = f.word;
    bool more = f.kind != MHO_PB_BYTES || next_packed(type, &f.bytes, &word);
    while (more) {
      if (n < out->count)
        out->v[n] = number_of(type, word);
      n++;
      more = f.kind == MHO_PB_BYTES && n <= out->count && next_packed(type, &f.bytes, &word);
    }
  }
  return n;
}

static size_t take_raw(const mho_pb *raw, int type, mho_tensor *out) {
  mho_number_type kind = (mho_number_type)number_type(type);
  size_t size = (size_t)mho__number_size(kind);
  if (mho__pb_size(raw) != size * out->count)
    return mho__pb_size(raw) / size + 1;
  for (size_t i = 0; i < out->count; i++)
    out->v[i] = mho__number_of(kind, raw->at + i * size);
  return out->count;
}

/* Whether a file can have as many numbers as a tensor says, so that no memory is taken for those
 * that it has not. */
static bool may_hold(const description *t, mho_pb message) {
  double count = 1;
  for (int k = 0; k < t->n_dims; k++)
    count *= (double)t->dim[k];
  return count <= (double)mho__pb_size(&message);
}

/* Add a TensorProto to the constants. name: NULL: its own. */
static mho_err take_tensor(const reader *r, mho_pb message, const char *name) {
  description t = {0};
  bool damaged = false;
  mho_tensor *out;
  if (!scan_tensor(message, &t, &damaged))
    return cut_short(r);

  const char *its = name ? name : (const char *)t.name.at;
  size_t length = name ? strlen(name) : mho__pb_size(&t.name);
  int shown = (int)mho_min_size(length, 60);
  if (t.external)
    return mho_fail_at(r->ei, MHO_EDATA, r->file, 0,
                       "'%.*s' is in a file beside it: save the model as one file", shown,
                       its ? its : "");
  if (number_type(t.type) < 0)
    return mho_fail_at(r->ei, MHO_EDATA, r->file, 0,
                       "the numbers of '%.*s' are of type %d: float16, bfloat16, float and double "
                       "are taken",
                       shown, its ? its : "", t.type);
  if (!may_hold(&t, message))
    return mho_fail_at(r->ei, MHO_EDATA, r->file, 0, "'%.*s' has fewer numbers than its shape says",
                       shown, its ? its : "");

  mho_err err = mho__tensors_add(&r->m->constants, r->file, its ? its : "", its ? length : 0,
                                 t.n_dims, t.dim, &out, r->ei);
  if (err)
    return err;
  size_t n = t.raw.at ? take_raw(&t.raw, t.type, out) : take_fields(message, t.type, out);
  if (n != out->count)
    return mho_fail_at(r->ei, MHO_EDATA, r->file, 0, "'%s' has %s numbers than its shape says",
                       out->name, n < out->count ? "fewer" : "other");
  return MHO_OK;
}

/* ---------------------------------------------------------------- nodes */

static mho_err take_input(const reader *r, const mho_pb_field *f, mho_onnx_node *node) {
  if (node->n_inputs == MHO_ONNX_INPUTS)
    return mho_fail_at(r->ei, MHO_EDATA, r->file, 0, "a node in it has more than %d inputs",
                       MHO_ONNX_INPUTS);
  return take_name(r, f, MHO_ONNX_NAME, node->input[node->n_inputs++]);
}

static mho_err take_node(reader *r, mho_pb message) {
  mho_onnx_model *m = r->m;
  mho_pb_field f;
  mho_err err = MHO_OK;
  if (m->n == MHO_ONNX_NODES)
    return mho_fail_at(r->ei, MHO_EDATA, r->file, 0, "has more than %d operators", MHO_ONNX_NODES);

  mho_onnx_node *node = &m->node[m->n++];
  node->message = message;
  while (!err && mho__pb_next(&message, &f, &r->damaged)) {
    if (f.number == NODE_INPUT)
      err = take_input(r, &f, node);
    else if (f.number == NODE_OUTPUT && node->n_outputs++ == 0)
      err = take_name(r, &f, sizeof node->output, node->output);
    else if (f.number == NODE_NAME)
      err = take_name(r, &f, sizeof node->name, node->name);
    else if (f.number == NODE_OPERATOR)
      err = take_name(r, &f, sizeof node->op, node->op);
  }
  return err;
}

/* ---------------------------------------------------------------- inputs and outputs */

/* The field of a message with that number that is a message, too. */
static bool find_message(mho_pb message, int number, mho_pb *out) {
  mho_pb_field f;
  bool damaged = false;
  while (mho__pb_next(&message, &f, &damaged))
    if (f.number == number && f.kind == MHO_PB_BYTES) {
      *out = f.bytes;
      return true;
    }
  return false;
}

/* The dimensions of a ValueInfoProto; 0 where one has a name in place of a number. */
static void take_shape(mho_onnx_model *m, mho_pb value) {
  mho_pb type, tensor, shape, dim;
  mho_pb_field f;
  bool damaged = false;
  if (!find_message(value, VALUE_TYPE, &type) || !find_message(type, TYPE_TENSOR, &tensor) ||
      !find_message(tensor, TYPE_SHAPE, &shape))
    return;

  while (m->n_dims < MHO_TENSOR_DIMS && mho__pb_next(&shape, &f, &damaged)) {
    if (f.number != SHAPE_DIM || f.kind != MHO_PB_BYTES)
      continue;
    dim = f.bytes;
    int64_t *size = &m->dim[m->n_dims++];
    while (mho__pb_next(&dim, &f, &damaged))
      if (f.number == DIM_VALUE && f.kind == MHO_PB_VARINT && f.word <= MHO_TENSORS_NUMBERS)
        *size = (int64_t)f.word;
  }
}

/* Take an input or output of the graph: its name, of the input its shape too. */
static mho_err take_value(const reader *r, mho_pb value, bool is_input) {
  mho_pb_field f;
  mho_pb at = value;
  bool damaged = false;
  char name[MHO_ONNX_NAME] = "";
  while (mho__pb_next(&at, &f, &damaged))
    if (f.number == VALUE_NAME && take_name(r, &f, sizeof name, name))
      return MHO_EDATA;

  /* older files list their constants among the inputs */
  if (is_input && mho__tensors_find(&r->m->constants, name))
    return MHO_OK;
  char *of = is_input ? r->m->input : r->m->output;
  if (*of)
    return mho_fail_at(r->ei, MHO_EDATA, r->file, 0,
                       "has two %ss, '%s' and '%s': mho takes networks of one",
                       is_input ? "input" : "output", of, name);
  strcpy(of, name);
  if (is_input)
    take_shape(r->m, value);
  return MHO_OK;
}

/* ---------------------------------------------------------------- the graph */

/* Take one field of the graph, in one of two passes: constants, then the rest. */
static mho_err take_graph_field(reader *r, const mho_pb_field *f, bool constants) {
  if (f->kind != MHO_PB_BYTES)
    return MHO_OK;
  if (constants)
    return f->number == GRAPH_CONSTANT ? take_tensor(r, f->bytes, NULL) : MHO_OK;

  switch (f->number) {
  case GRAPH_NODE:
    return take_node(r, f->bytes);
  case GRAPH_INPUT:
    return take_value(r, f->bytes, true);
  case GRAPH_OUTPUT:
    return take_value(r, f->bytes, false);
  default:
    return MHO_OK;
  }
}

static mho_err take_graph(reader *r, mho_pb graph, bool constants) {
  mho_pb_field f;
  while (mho__pb_next(&graph, &f, &r->damaged)) {
    mho_err err = take_graph_field(r, &f, constants);
    if (err)
      return err;
  }
  return r->damaged ? cut_short(r) : MHO_OK;
}

mho_err mho__onnx_read(const void *bytes, size_t length, const char *file, mho_onnx_model *out,
                       mho_errinfo *ei) {
  const unsigned char *start = bytes;
  reader r = {.file = file, .m = out, .ei = ei};
  mho_pb model = {start, start + length}, all = model, graph = {0}, one;
  mho_pb_field f;
  *out = (mho_onnx_model){0};

  while (mho__pb_next(&all, &f, &r.damaged)) /* the whole file must be a message */
    if (f.number == MODEL_GRAPH && f.kind == MHO_PB_BYTES)
      graph = f.bytes;
  if (r.damaged || !find_message(model, MODEL_GRAPH, &one))
    return cut_short(&r);

  out->node = calloc(MHO_ONNX_NODES, sizeof *out->node);
  mho_err err = out->node ? MHO_OK : mho_fail(ei, MHO_ENOMEM, "no memory for an ONNX model");
  if (!err)
    err = take_graph(&r, graph, true);
  if (!err)
    err = take_graph(&r, graph, false);
  if (!err && (!*out->input || !*out->output || !out->n))
    err =
        mho_fail_at(ei, MHO_EDATA, file, 0, "an ONNX model without an input, output or operators");

  if (err)
    mho__onnx_free(out);
  return err;
}

void mho__onnx_free(mho_onnx_model *m) {
  free(m->node);
  mho__tensors_free(&m->constants);
  *m = (mho_onnx_model){0};
}

/* ---------------------------------------------------------------- attributes */

/* The message of a node's attribute. */
static bool find_attribute(const mho_onnx_node *node, const char *name, mho_pb *out) {
  mho_pb message = node->message;
  mho_pb_field f, g;
  bool damaged = false;
  while (mho__pb_next(&message, &f, &damaged)) {
    if (f.number != NODE_ATTRIBUTE || f.kind != MHO_PB_BYTES)
      continue;
    char its[64] = "";
    mho_pb attribute = f.bytes;
    while (mho__pb_next(&attribute, &g, &damaged))
      if (g.number == ATTRIBUTE_NAME)
        copy_text(&g, sizeof its, its);
    *out = f.bytes;
    if (!strcmp(its, name))
      return true;
  }
  return false;
}

int mho__onnx_ints(const mho_onnx_node *node, const char *name, int64_t out[MHO_ONNX_INTS]) {
  mho_pb attribute;
  mho_pb_field f;
  uint64_t v;
  bool damaged = false;
  int n = 0;
  if (!find_attribute(node, name, &attribute))
    return -1;

  while (mho__pb_next(&attribute, &f, &damaged)) {
    if (f.number != ATTRIBUTE_INTS)
      continue;
    if (f.kind == MHO_PB_VARINT && n < MHO_ONNX_INTS)
      out[n++] = (int64_t)f.word;
    while (n < MHO_ONNX_INTS && f.kind == MHO_PB_BYTES && mho__pb_varint(&f.bytes, &v))
      out[n++] = (int64_t)v;
  }
  return n;
}

/* The word of an attribute's field, of a number; false without it. */
static bool find_word(const mho_onnx_node *node, const char *name, int number, int kind,
                      uint64_t *out) {
  mho_pb attribute;
  mho_pb_field f;
  bool damaged = false;
  if (!find_attribute(node, name, &attribute))
    return false;
  while (mho__pb_next(&attribute, &f, &damaged))
    if (f.number == number && f.kind == kind) {
      *out = f.word;
      return true;
    }
  return false;
}

int64_t mho__onnx_int(const mho_onnx_node *node, const char *name, int64_t otherwise) {
  uint64_t v;
  return find_word(node, name, ATTRIBUTE_INT, MHO_PB_VARINT, &v) ? (int64_t)v : otherwise;
}

double mho__onnx_float(const mho_onnx_node *node, const char *name, double otherwise) {
  uint64_t v;
  return find_word(node, name, ATTRIBUTE_FLOAT, MHO_PB_SINGLE, &v) ? mho__single(v) : otherwise;
}

bool mho__onnx_text_is(const mho_onnx_node *node, const char *name, const char *plain) {
  mho_pb attribute, text;
  if (!find_attribute(node, name, &attribute) || !find_message(attribute, ATTRIBUTE_TEXT, &text))
    return true;
  return mho__pb_size(&text) == strlen(plain) && !memcmp(text.at, plain, strlen(plain));
}

mho_err mho__onnx_constant(mho_onnx_model *m, const mho_onnx_node *node, const char *file,
                           mho_errinfo *ei) {
  reader r = {.file = file, .m = m, .ei = ei};
  mho_pb attribute, message;
  if (!find_attribute(node, "value", &attribute) ||
      !find_message(attribute, ATTRIBUTE_TENSOR, &message))
    return mho_fail_at(ei, MHO_EDATA, file, 0, "the constant '%s' is no array of numbers",
                       node->output);
  return take_tensor(&r, message, node->output);
}
