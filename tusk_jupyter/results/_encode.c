/* Python's side of _rows.h: one function, from descriptions of columns and their buffers to bytes.

The limited API (CPython 3.11's, the first in which a buffer may be asked for) and nothing else. The buffers are held
while they are read, and the GIL is not. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "_rows.h"

#define MOST_COLUMNS 1600 /* PostgreSQL's own limit */
#define AT_FIRST (3u << 20)

/* a column, its elements, and what is held of both */
typedef struct {
    column column, elements;
    Py_buffer held[6];
    int count;
} field;

static bool hold(field *f, PyObject *object, view *found) {
    if (object == Py_None) return true;
    Py_buffer *buffer = &f->held[f->count];
    if (PyObject_GetBuffer(object, buffer, PyBUF_SIMPLE) < 0) return false;
    f->count++;
    static const byte nothing[1];
    found->bytes = buffer->len ? buffer->buf : nothing;
    found->size = (size_t)buffer->len;
    return true;
}

/* (wire, storage, number, offset, rows, validity, values, data[, elements, base, oid]) */
static bool read_column(field *f, column *c, PyObject *description, bool may_nest) {
    int wire, storage;
    long long number, offset, rows, base = 0;
    unsigned int oid = 0;
    PyObject *validity, *values, *data, *elements = NULL;
    if (!PyTuple_Check(description)) {
        PyErr_SetString(PyExc_TypeError, "a column is described by a tuple");
        return false;
    }
    if (!PyArg_ParseTuple(description, "iiLLLOOO|O!LI", &wire, &storage, &number, &offset, &rows, &validity, &values, &data,
                          &PyTuple_Type, &elements, &base, &oid))
        return false;
    if (wire < 0 || wire >= WIRES || storage < 0 || storage >= STORAGES || (elements && !may_nest)) {
        PyErr_SetString(PyExc_ValueError, "no such column");
        return false;
    }
    c->wire = (enum wire)wire;
    c->storage = (enum storage)storage;
    c->number = number;
    c->offset = offset;
    c->rows = rows;
    c->base = base;
    c->element_oid = oid;
    if (!hold(f, validity, &c->validity) || !hold(f, values, &c->values) || !hold(f, data, &c->data)) return false;
    if (elements == NULL) return true;
    c->elements = &f->elements;
    return read_column(f, &f->elements, elements, false);
}

static PyObject *written(const field *fields, Py_ssize_t count, long long rows, const byte *head, Py_ssize_t size) {
    column *columns = calloc(count ? (size_t)count : 1, sizeof *columns);
    if (columns == NULL) return PyErr_NoMemory();
    for (Py_ssize_t i = 0; i < count; i++) columns[i] = fields[i].column;
    block out = {0};
    int64_t row = 0;
    int at = 0;
    enum outcome outcome = NO_MEMORY;
    Py_BEGIN_ALLOW_THREADS;
    /* what most slices take; what follows grows by halves */
    if (reserve(&out, (size_t)size + AT_FIRST) && put_bytes(&out, head, (size_t)size))
        outcome = put_rows(&out, columns, (int)count, rows, &row, &at);
    Py_END_ALLOW_THREADS;
    PyObject *found = NULL;
    if (outcome == NO_MEMORY) PyErr_NoMemory();
    else if (outcome == BROKEN) PyErr_SetString(PyExc_ValueError, "the columns contradict themselves, or one another");
    else found = Py_BuildValue("(y#Li)", out.bytes ? (const char *)out.bytes : "", (Py_ssize_t)out.size, (long long)row,
                               outcome == REFUSED ? at : -1);
    free(out.bytes);
    free(columns);
    return found;
}

static PyObject *rows(PyObject *Py_UNUSED(module), PyObject *arguments) {
    PyObject *described;
    const byte *head;
    Py_ssize_t size;
    long long number;
    if (!PyArg_ParseTuple(arguments, "O!Ly#", &PyTuple_Type, &described, &number, &head, &size)) return NULL;
    Py_ssize_t count = PyTuple_Size(described);
    if (count < 0 || count > MOST_COLUMNS) {
        PyErr_SetString(PyExc_ValueError, "more columns than a table can have");
        return NULL;
    }
    field *fields = calloc(count ? (size_t)count : 1, sizeof *fields);
    if (fields == NULL) return PyErr_NoMemory();
    bool is_read = true;
    for (Py_ssize_t i = 0; is_read && i < count; i++)
        is_read = read_column(&fields[i], &fields[i].column, PyTuple_GetItem(described, i), true);
    PyObject *found = is_read ? written(fields, count, number, head, size) : NULL;
    for (Py_ssize_t i = 0; i < count; i++)
        while (fields[i].count) PyBuffer_Release(&fields[i].held[--fields[i].count]);
    free(fields);
    return found;
}

static PyMethodDef functions[] = {
    {"rows", rows, METH_VARARGS,
     "rows(columns, rows, head): head, and the rows of COPY BINARY that the columns hold.\n\n"
     "Returns the bytes, how many rows are in them, and the column whose value in the next row has no such form, or -1."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_encode",
    .m_doc = "Rows of COPY BINARY out of Arrow's buffers.",
    .m_size = 0,
    .m_methods = functions,
};

PyMODINIT_FUNC PyInit__encode(void) { return PyModuleDef_Init(&module_def); }
