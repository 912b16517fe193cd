/* onnx_chain.c - an ONNX model as a chain of layers.
 *
 * From the input on the one operator that takes what was computed last is followed to the output;
 * what is taken twice, or meets something else that was computed, is no chain. The operators are
 * in a table at the end, with what each makes of the chain; their meaning is that of
 * https://onnx.ai/onnx/operators. A normalization of a batch becomes part of the weights before
 * it, and so do means over windows (folding.c).
 * SPDX-License-Identifier: GPL-3.0-or-later */
#include "exchange/onnx_chain.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "exchange/onnx_model.h"

/* A mean over larger windows would be weights without end. */
enum { MEAN_MAX = 32 };

/* How far the graph has been followed. */
typedef struct walk {
  const char *file;
  const mho_onnx_model *m;
  mho_chain *c;
  char value[MHO_ONNX_NAME];   /* what was computed last */
  int channels, height, width; /* of it; height 0: numbers without positions, `channels` of them */
  bool ended;                  /* behind a softmax */
  mho_errinfo *ei;
} walk;

/* The last layer; NULL before the first. */
static mho_chain_layer *last(const walk *w) {
  return w->c->n ? &w->c->layer[w->c->n - 1] : NULL;
}

/* "Conv '/conv1/Conv'", for messages. */
static const char *told(const mho_onnx_node *n, char text[2 * MHO_ONNX_NAME]) {
  const char *name = *n->name ? n->name : n->output;
  snprintf(text, 2 * MHO_ONNX_NAME, "%s '%s'", n->op, name);
  return text;
}

/* An operator that is not taken, and why. */
static mho_err refuse(const walk *w, const mho_onnx_node *n, const char *why) {
  char text[2 * MHO_ONNX_NAME];
  return mho_fail_at(w->ei, MHO_EDATA, w->file, 0, "operator %s: %s", told(n, text), why);
}

static const mho_tensor *constant(const walk *w, const char *name) {
  return *name ? mho__tensors_find(&w->m->constants, name) : NULL;
}

/* The constant that is input i of a node; NULL where it is left out or computed. */
static const mho_tensor *input(const walk *w, const mho_onnx_node *n, int i) {
  return i < n->n_inputs ? constant(w, n->input[i]) : NULL;
}

/* ---------------------------------------------------------------- weights */

/* A name for messages: that of the weights, without ".weight" and the like. */
static void name_layer(const mho_tensor *w, char name[MHO_CHAIN_NAME]) {
  snprintf(name, MHO_CHAIN_NAME, "%s", w->name);
  char *end = strrchr(name, '.');
  if (end && end > name && !strcmp(end, ".weight"))
    *end = 0;
}

/* Add biases to the sums of the last layer: one, or one for each output.
 * @return false where there is another number of them. */
static bool add_biases(mho_chain_layer *l, const mho_tensor *b, double scale) {
  if (b->count != 1 && b->count != (size_t)l->out)
    return false;
  for (int o = 0; o < l->out; o++)
    l->b[o] += scale * b->v[b->count == 1 ? 0 : o];
  return true;
}

static mho_err take_biases(const walk *w, const mho_onnx_node *n, const mho_tensor *b,
                           double scale) {
  mho_chain_layer *l = last(w);
  mho_err err = mho__chain_bias(l, w->ei);
  if (err || add_biases(l, b, scale))
    return err;
  return refuse(w, n, "its biases are neither one nor one for each output");
}

/* A dense layer of weights [in x out], or [out x in] where `turned`. */
static mho_err add_dense(walk *w, const mho_onnx_node *n, const mho_tensor *m, bool turned,
                         double scale) {
  char name[MHO_CHAIN_NAME];
  mho_chain_layer *l;
  if (!m || m->n_dims != 2)
    return refuse(w, n, "its second input is no constant matrix of weights");
  if (w->height)
    return refuse(w, n, "it reads an image that has not been flattened");

  int in = m->dim[turned], out = m->dim[!turned];
  if (w->channels && in != w->channels)
    return refuse(w, n, "its weights do not have as many inputs as come from the layer before it");

  name_layer(m, name);
  mho_err err = mho__chain_add(w->c, w->file, name, out, in, 0, &l, w->ei);
  if (err)
    return err;
  for (int o = 0; o < out; o++)
    for (int i = 0; i < in; i++) {
      size_t at = turned ? (size_t)o * (size_t)in + (size_t)i : (size_t)i * (size_t)out + (size_t)o;
      l->w[(size_t)o * (size_t)in + (size_t)i] = scale * m->v[at];
    }

  l->height = l->width = 1;
  w->channels = out;
  return MHO_OK;
}

static mho_err take_gemm(walk *w, const mho_onnx_node *n) {
  const mho_tensor *b = input(w, n, 2);
  bool has_biases = n->n_inputs > 2 && *n->input[2];
  if (mho__onnx_int(n, "transA", 0))
    return refuse(w, n, "transA is not taken");
  if (has_biases && !b)
    return refuse(w, n, "its third input is no constant: mho has no sums of two layers");

  mho_err err = add_dense(w, n, input(w, n, 1), mho__onnx_int(n, "transB", 0) != 0,
                          mho__onnx_float(n, "alpha", 1));
  if (!err && b)
    err = take_biases(w, n, b, mho__onnx_float(n, "beta", 1));
  return err;
}

static mho_err take_matmul(walk *w, const mho_onnx_node *n) {
  return add_dense(w, n, input(w, n, 1), false, 1);
}

/* Whether biases belong to the outputs, a channel each, and not to the positions of an image. */
static bool is_per_output(const walk *w, const mho_tensor *b) {
  int from_end = w->height ? 3 : 1; /* where the outputs are among the dimensions */
  int at = b->n_dims - from_end;
  return b->count == 1 || (at >= 0 && (size_t)b->dim[at] == b->count);
}

static mho_err take_add(walk *w, const mho_onnx_node *n) {
  const mho_tensor *b = input(w, n, 1) ? input(w, n, 1) : input(w, n, 0);
  mho_chain_layer *l = last(w);
  if (!b)
    return refuse(w, n,
                  "it adds two layers (a residual connection): networks from files are chains");
  if (!l || l->neuron || l->pool || !is_per_output(w, b))
    return refuse(w, n, "what it adds is no bias of the layer before it");
  return take_biases(w, n, b, 1);
}

/* ---------------------------------------------------------------- convolutions, windows */

/* The whole number that all of an attribute's are; -1 where they differ. */
static int64_t same_ints(const mho_onnx_node *n, const char *name, int64_t otherwise) {
  int64_t v[MHO_ONNX_INTS];
  int count = mho__onnx_ints(n, name, v);
  for (int i = 1; i < count; i++)
    if (v[i] != v[0])
      return -1;
  return count > 0 ? v[0] : otherwise;
}

/* What makes a window or kernel one that mho has; NULL where nothing stands against it. */
static const char *odd_window(const mho_onnx_node *n) {
  if (same_ints(n, "kernel_shape", 1) < 1 || same_ints(n, "strides", 1) < 1)
    return "its windows are not square";
  if (same_ints(n, "dilations", 1) != 1)
    return "its windows have gaps (dilations)";
  if (same_ints(n, "pads", 0) < 0)
    return "its padding differs from side to side";
  bool plain =
      mho__onnx_text_is(n, "auto_pad", "NOTSET") || mho__onnx_text_is(n, "auto_pad", "VALID");
  return plain ? NULL : "auto_pad is not taken: export the padding as numbers";
}

/* Positions of a convolution or window along a side; 0 where it does not fit. */
static int positions(int64_t side, int64_t kernel, int64_t stride, int64_t padding) {
  int64_t room = side + 2 * padding - kernel;
  return room < 0 ? 0 : (int)(room / stride + 1);
}

static mho_err take_conv(walk *w, const mho_onnx_node *n) {
  const mho_tensor *m = input(w, n, 1), *b = input(w, n, 2);
  const char *odd = odd_window(n);
  char name[MHO_CHAIN_NAME];
  mho_chain_layer *l;
  if (odd)
    return refuse(w, n, odd);
  if (mho__onnx_int(n, "group", 1) != 1)
    return refuse(w, n, "it has groups of channels, which mho has not");
  if (!m || m->n_dims != 4 || m->dim[2] != m->dim[3])
    return refuse(w, n, "its second input is no constant array of square kernels");
  if (!w->height || m->dim[1] != w->channels)
    return refuse(w, n, "its input is no image of as many channels as its kernels have");

  int64_t stride = same_ints(n, "strides", 1), padding = same_ints(n, "pads", 0);
  bool sane = stride <= MHO_TENSORS_NUMBERS && padding <= MHO_TENSORS_NUMBERS;
  int high = sane ? positions(w->height, m->dim[2], stride, padding) : 0;
  int wide = sane ? positions(w->width, m->dim[2], stride, padding) : 0;
  if (!high || !wide)
    return refuse(w, n, "its kernel is larger than the image that it reads");
  if ((double)m->dim[0] * high * wide >= MHO_TENSORS_NUMBERS)
    return refuse(w, n, "its image has more numbers than mho takes, 2^27");

  name_layer(m, name);
  mho_err err = mho__chain_add(w->c, w->file, name, m->dim[0], m->dim[1], m->dim[2], &l, w->ei);
  if (err)
    return err;
  memcpy(l->w, m->v, m->count * sizeof *m->v);
  l->stride = (int)stride;
  l->padding = (int)padding;
  w->channels = l->out;
  w->height = l->height = high;
  w->width = l->width = wide;
  return b ? take_biases(w, n, b, 1) : MHO_OK;
}

/* Windows of p x p over the activities, or sums, of the last layer. */
static mho_err add_windows(walk *w, const mho_onnx_node *n, mho_window kind, int64_t p) {
  mho_chain_layer *l = last(w);
  if (!l || !w->height)
    return refuse(w, n, "it does not follow a convolution");
  if (l->pool)
    return refuse(w, n, "it follows another pooling");
  if (p > w->height || p > w->width)
    return refuse(w, n, "its windows are larger than the image that it reads");
  if (kind == MHO_WINDOW_MEAN && p > MEAN_MAX)
    return refuse(w, n, "means over windows of more than 32 x 32 are not taken");
  if (mho__onnx_int(n, "ceil_mode", 0) && (w->height % p || w->width % p))
    return refuse(w, n, "ceil_mode is not taken where windows stand over the border");
  if (p == 1)
    return MHO_OK;

  l->window = kind;
  l->pool = (int)p;
  l->pooled_sums = !l->neuron;
  w->height /= l->pool;
  w->width /= l->pool;
  return MHO_OK;
}

static mho_err take_windows(walk *w, const mho_onnx_node *n, mho_window kind) {
  const char *odd = odd_window(n);
  int64_t p = same_ints(n, "kernel_shape", 1);
  if (odd)
    return refuse(w, n, odd);
  if (same_ints(n, "strides", 1) != p || same_ints(n, "pads", 0) != 0)
    return refuse(w, n, "its windows do not lie side by side without padding (strides, pads)");
  if (n->n_outputs > 1)
    return refuse(w, n, "its second output, the places of the largest, is not taken");
  return add_windows(w, n, kind, p);
}

static mho_err take_max(walk *w, const mho_onnx_node *n) {
  return take_windows(w, n, MHO_WINDOW_MAX);
}

static mho_err take_mean(walk *w, const mho_onnx_node *n) {
  return take_windows(w, n, MHO_WINDOW_MEAN);
}

static mho_err take_global_mean(walk *w, const mho_onnx_node *n) {
  if (w->height != w->width)
    return refuse(w, n, "the image that it reads is not square");
  return add_windows(w, n, MHO_WINDOW_MEAN, w->height);
}

/* ---------------------------------------------------------------- neurons, normalization */

/* rho of the last layer. It rises, so that the largest of a window is the same before it. */
static mho_err add_neuron(walk *w, const mho_onnx_node *n, const char *id) {
  mho_chain_layer *l = last(w);
  if (!l)
    return refuse(w, n, "it does not follow a layer with weights");
  if (l->neuron)
    return refuse(w, n, "it follows another activation");
  l->neuron = id;
  return MHO_OK;
}

static mho_err take_relu(walk *w, const mho_onnx_node *n) {
  return add_neuron(w, n, "relu");
}

static mho_err take_tanh(walk *w, const mho_onnx_node *n) {
  return add_neuron(w, n, "tanh");
}

static mho_err take_sigmoid(walk *w, const mho_onnx_node *n) {
  return add_neuron(w, n, "sigmoid");
}

static mho_err take_normalization(walk *w, const mho_onnx_node *n) {
  mho_chain_layer *l = last(w);
  const mho_tensor *p[4]; /* scale, shift, mean, variance */
  if (!l || l->neuron || l->pool)
    return refuse(w, n,
                  "it does not stand right behind a Gemm, MatMul or Conv, whose weights it "
                  "could become part of");

  for (int k = 0; k < 4; k++) {
    p[k] = input(w, n, 1 + k);
    if (!p[k] || p[k]->count != (size_t)l->out)
      return refuse(w, n,
                    "it does not have one constant scale, shift, mean and variance for each "
                    "output of the layer before it");
  }

  double epsilon = mho__onnx_float(n, "epsilon", 1e-5);
  double *scale = mho_alloc((size_t)l->out, sizeof *scale);
  if (!scale)
    return mho_fail(w->ei, MHO_ENOMEM, "no memory for a normalization");
  bool positive = true;
  for (int o = 0; o < l->out; o++) {
    positive = positive && p[3]->v[o] + epsilon > 0;
    scale[o] = p[0]->v[o] / sqrt(p[3]->v[o] + epsilon);
  }

  mho_err err = positive ? mho__fold_normalization(l, p[2]->v, scale, p[1]->v, w->ei)
                         : refuse(w, n, "a variance is not positive");
  mho_free(scale);
  return err;
}

/* ---------------------------------------------------------------- shapes, the end */

static void flatten(walk *w) {
  if (w->height)
    w->channels *= w->height * w->width;
  w->height = w->width = 0;
}

static mho_err take_flatten(walk *w, const mho_onnx_node *n) {
  if (mho__onnx_int(n, "axis", 1) != 1)
    return refuse(w, n, "an axis other than 1 is not taken");
  flatten(w);
  return MHO_OK;
}

/* Whether a shape [samples, numbers] says all numbers of a sample. */
static bool is_flat(const walk *w, const mho_tensor *shape) {
  double all = w->channels * (w->height ? (double)w->height * w->width : 1);
  return shape->count == 2 && (shape->v[1] == -1 || shape->v[1] == all);
}

/* Whether a shape [samples, channels, height, width] makes an image of the network's inputs. */
static bool is_image(const walk *w, const mho_tensor *shape) {
  return !w->c->n && !w->height && shape->count == 4 && shape->v[1] >= 1 && shape->v[2] >= 1 &&
         shape->v[3] >= 1 && shape->v[1] * shape->v[2] * shape->v[3] == w->channels;
}

static mho_err take_reshape(walk *w, const mho_onnx_node *n) {
  const mho_tensor *shape = input(w, n, 1);
  if (!shape)
    return refuse(w, n, "its shape is computed: export with a batch of fixed size");
  if (is_flat(w, shape)) {
    flatten(w);
    return MHO_OK;
  }
  if (!is_image(w, shape))
    return refuse(w, n,
                  "only the numbers of a sample in one line are taken, and the inputs as an "
                  "image");

  w->c->channels = w->channels = (int)shape->v[1];
  w->c->height = w->height = (int)shape->v[2];
  w->c->width = w->width = (int)shape->v[3];
  return MHO_OK;
}

static mho_err take_softmax(walk *w, const mho_onnx_node *n) {
  int64_t axis = mho__onnx_int(n, "axis", -1);
  mho_chain_layer *l = last(w);
  if (!l || l->kernel || l->neuron)
    return refuse(w, n, "it does not stand right behind a dense layer");
  if (axis != 1 && axis != -1)
    return refuse(w, n, "an axis other than that of the classes is not taken");
  w->c->softmax = w->ended = true;
  return MHO_OK;
}

/* Exporters put a border of nothing before means over windows. */
static mho_err take_pad(walk *w, const mho_onnx_node *n) {
  const mho_tensor *pads = input(w, n, 1);
  bool none = n->n_inputs > 1 ? pads != NULL : same_ints(n, "pads", 0) == 0;
  for (size_t i = 0; none && pads && i < pads->count; i++)
    none = pads->v[i] == 0;
  return none ? MHO_OK : refuse(w, n, "a border is taken as the padding of a convolution alone");
}

static mho_err take_nothing(walk *w, const mho_onnx_node *n) {
  return MHO_OK;
}

/* ---------------------------------------------------------------- the walk */

static const struct {
  const char *op;
  mho_err (*take)(walk *w, const mho_onnx_node *n);
} operators[] = {{"Gemm", take_gemm},
                 {"MatMul", take_matmul},
                 {"Add", take_add},
                 {"Conv", take_conv},
                 {"MaxPool", take_max},
                 {"AveragePool", take_mean},
                 {"GlobalAveragePool", take_global_mean},
                 {"Relu", take_relu},
                 {"Tanh", take_tanh},
                 {"Sigmoid", take_sigmoid},
                 {"BatchNormalization", take_normalization},
                 {"Flatten", take_flatten},
                 {"Reshape", take_reshape},
                 {"Pad", take_pad},
                 {"Softmax", take_softmax},
                 {"LogSoftmax", take_softmax},
                 {"Identity", take_nothing},
                 {"Dropout", take_nothing}};

static mho_err take_operator(walk *w, const mho_onnx_node *n) {
  char known[MHO_TEXT_MAX] = "";
  if (w->ended)
    return refuse(w, n, "it stands behind the softmax, which is the end");

  for (int i = 0; i < MHO_COUNT(operators); i++) {
    if (!strcmp(operators[i].op, n->op))
      return operators[i].take(w, n);
    mho_text_append(known, sizeof known, "%s%s", i ? ", " : "", operators[i].op);
  }
  mho_text_append(known, sizeof known, " are taken, no others");
  return refuse(w, n, known);
}

static bool takes(const mho_onnx_node *n, const char *value) {
  for (int i = 0; i < n->n_inputs; i++)
    if (!strcmp(n->input[i], value))
      return true;
  return false;
}

/* The one operator that takes what was computed last; NULL where there is none. */
static mho_err find_next(const walk *w, const mho_onnx_node **out) {
  *out = NULL;
  for (int i = 0; i < w->m->n; i++) {
    const mho_onnx_node *n = &w->m->node[i];
    if (!takes(n, w->value))
      continue;
    if (*out)
      return refuse(w, n,
                    "what it takes is taken by another one, too (a residual connection, or a shape "
                    "that is computed): networks from files are chains of one batch size");
    *out = n;
  }
  return MHO_OK;
}

/* Follow the operators from the input to the output. */
static mho_err follow(walk *w) {
  for (int step = 0; strcmp(w->value, w->m->output); step++) {
    const mho_onnx_node *n;
    mho_err err = find_next(w, &n);
    if (!err && (!n || step > w->m->n))
      err = mho_fail_at(w->ei, MHO_EDATA, w->file, 0,
                        "no chain of operators leads from the input '%s' to the output '%s'",
                        w->m->input, w->m->output);
    if (!err)
      err = take_operator(w, n);
    if (err)
      return err;
    strcpy(w->value, n->output);
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- constants */

/* A constant under another name, its two dimensions turned where that is asked for. */
static mho_err copy_constant(mho_onnx_model *m, const mho_onnx_node *n, const mho_tensor *from,
                             bool turned, const char *file, mho_errinfo *ei) {
  int64_t dim[MHO_TENSOR_DIMS];
  int index = (int)(from - m->constants.t); /* the list may move */
  mho_tensor *to;
  for (int k = 0; k < from->n_dims; k++)
    dim[k] = from->dim[turned ? from->n_dims - 1 - k : k];
  mho_err err = mho__tensors_add(&m->constants, file, n->output, strlen(n->output), from->n_dims,
                                 dim, &to, ei);
  if (err)
    return err;

  from = &m->constants.t[index];
  size_t cols = from->n_dims ? (size_t)from->dim[from->n_dims - 1] : 1, rows = from->count / cols;
  for (size_t i = 0; i < from->count; i++)
    to->v[turned ? i % cols * rows + i / cols : i] = from->v[i];
  return MHO_OK;
}

/* What is computed of constants alone: those of nodes, copies and transposed matrices. */
static mho_err settle_constants(mho_onnx_model *m, const char *file, mho_errinfo *ei) {
  for (int i = 0; i < m->n; i++) {
    const mho_onnx_node *n = &m->node[i];
    const mho_tensor *from =
        n->n_inputs == 1 ? mho__tensors_find(&m->constants, n->input[0]) : NULL;
    mho_err err = MHO_OK;
    if (!strcmp(n->op, "Constant"))
      err = mho__onnx_constant(m, n, file, ei);
    else if (from && !strcmp(n->op, "Identity"))
      err = copy_constant(m, n, from, false, file, ei);
    else if (from && !strcmp(n->op, "Transpose") && from->n_dims == 2)
      err = copy_constant(m, n, from, true, file, ei);
    if (err)
      return err;
  }

  for (int i = 0; i < m->constants.n; i++) {
    mho_err err = mho__tensor_check(&m->constants.t[i], file, ei);
    if (err)
      return err;
  }
  return MHO_OK;
}

/* ---------------------------------------------------------------- the whole */

/* The shape of a sample at the input: [samples, numbers] or [samples, channels, height, width]. */
static mho_err begin(walk *w) {
  const int64_t *dim = w->m->dim;
  bool image = w->m->n_dims == 4 && dim[1] > 0 && dim[2] > 0 && dim[3] > 0;
  bool fits = image ? (double)dim[1] * (double)dim[2] * (double)dim[3] < MHO_TENSORS_NUMBERS
                    : w->m->n_dims == 2;
  if (!fits)
    return mho_fail_at(w->ei, MHO_EDATA, w->file, 0,
                       "the input '%s' is neither [samples, numbers] nor an image of known size, "
                       "[samples, channels, height, width]",
                       w->m->input);

  strcpy(w->value, w->m->input);
  w->channels = (int)dim[1];
  w->height = image ? (int)dim[2] : 0;
  w->width = image ? (int)dim[3] : 0;
  w->c->channels = w->channels;
  w->c->height = w->height;
  w->c->width = w->width;
  return MHO_OK;
}

mho_err mho__chain_of_onnx(const void *bytes, size_t length, const char *file, mho_chain *out,
                           mho_errinfo *ei) {
  mho_onnx_model m;
  *out = (mho_chain){.whole = true};
  mho_err err = mho__onnx_read(bytes, length, file, &m, ei);
  if (err)
    return err;

  walk w = {.file = file, .m = &m, .c = out, .ei = ei};
  err = settle_constants(&m, file, ei);
  if (!err)
    err = begin(&w);
  if (!err)
    err = follow(&w);
  if (!err && (!out->n || last(&w)->kernel))
    err = mho_fail_at(ei, MHO_EDATA, file, 0,
                      "the network does not end in a dense layer, as those of mho do");
  if (!err)
    err = mho__fold_means(out, file, ei);

  mho__onnx_free(&m);
  if (err)
    mho__chain_free(out);
  return err;
}
