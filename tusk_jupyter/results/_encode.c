/* Python's side of _rows.h: one function, from descriptions of columns and their buffers to a buffer of rows.

The limited API (CPython 3.11's, the first in which a type may export a buffer) and nothing else. The buffers are held
while they are read, and the GIL is not. The memory of rows that nobody looks at any more is taken for the next ones:
fresh pages for each slice cost a third of what encoding it does. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "_rows.h"

#define MOST_COLUMNS 1600 /* PostgreSQL's own limit */
#define AT_FIRST (3u << 20)

/* -- rows that Python holds -------------------------------------------------------------------------------------- */

typedef struct {
    PyObject_HEAD
    block block;
    Py_ssize_t exports;
} Rows;

static int Rows_getbuffer(PyObject *self, Py_buffer *view, int flags) {
    static byte nothing[1];
    block *b = &((Rows *)self)->block;
    if (PyBuffer_FillInfo(view, self, b->size ? b->bytes : nothing, (Py_ssize_t)b->size, 1, flags) < 0) return -1;
    ((Rows *)self)->exports++;
    return 0;
}

static void Rows_releasebuffer(PyObject *self, Py_buffer *Py_UNUSED(view)) { ((Rows *)self)->exports--; }

static Py_ssize_t Rows_length(PyObject *self) { return (Py_ssize_t)((Rows *)self)->block.size; }

static void Rows_dealloc(PyObject *self) {
    PyTypeObject *type = Py_TYPE(self);
    free(((Rows *)self)->block.bytes);
    ((freefunc)PyType_GetSlot(type, Py_tp_free))(self);
    Py_DECREF(type);
}

static PyType_Slot Rows_slots[] = {
    {Py_tp_dealloc, Rows_dealloc},
    {Py_bf_getbuffer, Rows_getbuffer},
    {Py_bf_releasebuffer, Rows_releasebuffer},
    {Py_sq_length, Rows_length},
    {Py_tp_doc, "Rows of COPY BINARY: bytes that are read only."},
    {0, NULL},
};

static PyType_Spec Rows_spec = {
    .name = "tusk_jupyter.results._encode.Rows",
    .basicsize = sizeof(Rows),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = Rows_slots,
};

typedef struct {
    PyTypeObject *rows;
} state;

/* takes the block over, also when it fails */
static PyObject *new_rows(PyObject *module, block *taken) {
    PyTypeObject *type = ((state *)PyModule_GetState(module))->rows;
    Rows *self = (Rows *)((allocfunc)PyType_GetSlot(type, Py_tp_alloc))(type, 0);
    if (self == NULL) free(taken->bytes);
    else self->block = *taken;
    memset(taken, 0, sizeof *taken);
    return (PyObject *)self;
}

/* the memory of rows that are of no use any more, which hold nothing afterwards */
static block recycled(PyObject *module, PyObject *rows) {
    block found = {0};
    if (!PyObject_TypeCheck(rows, ((state *)PyModule_GetState(module))->rows) || ((Rows *)rows)->exports) return found;
    found = ((Rows *)rows)->block;
    found.size = 0;
    memset(&((Rows *)rows)->block, 0, sizeof found);
    return found;
}

/* -- columns that Python describes ------------------------------------------------------------------------------ */

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

/* columns is memory for as many as there are fields */
static PyObject *written(PyObject *module, column *columns, Py_ssize_t count, long long rows, block *out) {
    int64_t row = 0;
    int at = 0;
    enum outcome outcome;
    Py_BEGIN_ALLOW_THREADS;
    outcome = put_rows(out, columns, (int)count, rows, &row, &at);
    Py_END_ALLOW_THREADS;
    if (outcome == NO_MEMORY) return PyErr_NoMemory();
    if (outcome == BROKEN) {
        PyErr_SetString(PyExc_ValueError, "the columns contradict themselves, or one another");
        return NULL;
    }
    PyObject *found = new_rows(module, out);
    if (found == NULL) return NULL;
    return Py_BuildValue("(NLi)", found, (long long)row, outcome == REFUSED ? at : -1);
}

static PyObject *rows(PyObject *module, PyObject *arguments) {
    PyObject *described, *used;
    const byte *head;
    Py_ssize_t size;
    long long number;
    if (!PyArg_ParseTuple(arguments, "O!Ly#O", &PyTuple_Type, &described, &number, &head, &size, &used)) return NULL;
    Py_ssize_t count = PyTuple_Size(described);
    if (count < 0 || count > MOST_COLUMNS) {
        PyErr_SetString(PyExc_ValueError, "more columns than a table can have");
        return NULL;
    }
    field *fields = calloc(count ? (size_t)count : 1, sizeof *fields);
    column *columns = calloc(count ? (size_t)count : 1, sizeof *columns);
    block out = recycled(module, used);
    PyObject *found = NULL;
    bool is_ready = fields && columns && reserve(&out, (size_t)size + AT_FIRST) && put_bytes(&out, head, (size_t)size);
    if (!is_ready) PyErr_NoMemory();
    for (Py_ssize_t i = 0; is_ready && i < count; i++) {
        is_ready = read_column(&fields[i], &fields[i].column, PyTuple_GetItem(described, i), true);
        columns[i] = fields[i].column;
    }
    if (is_ready) found = written(module, columns, count, number, &out);
    for (Py_ssize_t i = 0; fields && i < count; i++)
        while (fields[i].count) PyBuffer_Release(&fields[i].held[--fields[i].count]);
    free(out.bytes);
    free(columns);
    free(fields);
    return found;
}

static PyMethodDef functions[] = {
    {"rows", rows, METH_VARARGS,
     "rows(columns, rows, head, used): head, and the rows of COPY BINARY that the columns hold.\n\n"
     "Returns them, how many there are, and the column whose value in the next row has no such form, or -1. The memory\n"
     "of used, which may be what another call returned, is taken for them if nobody looks at it; it is empty then."},
    {NULL, NULL, 0, NULL},
};

/* -- the module ------------------------------------------------------------------------------------------------- */

static int module_exec(PyObject *module) {
    state *mine = PyModule_GetState(module);
    mine->rows = (PyTypeObject *)PyType_FromModuleAndSpec(module, &Rows_spec, NULL);
    return mine->rows ? 0 : -1;
}

static int module_traverse(PyObject *module, visitproc visit, void *arg) {
    Py_VISIT(((state *)PyModule_GetState(module))->rows);
    return 0;
}

static int module_clear(PyObject *module) {
    Py_CLEAR(((state *)PyModule_GetState(module))->rows);
    return 0;
}

static void module_free(void *module) { module_clear(module); }

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, module_exec},
    {0, NULL},
};

static struct PyModuleDef module_def = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_encode",
    .m_doc = "Rows of COPY BINARY out of Arrow's buffers.",
    .m_size = sizeof(state),
    .m_methods = functions,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC PyInit__encode(void) { return PyModuleDef_Init(&module_def); }
