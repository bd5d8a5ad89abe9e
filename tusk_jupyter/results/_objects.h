/* Texts of documents and arrays → Python objects, each read strictly or refused.

What is read here means the same to Python's own readers (documents.py, text.py), which decide about everything else: a
number that a float might change, an escape by a code point, a key that occurs twice, an array with bounds. A refused
value costs its caller one call more. It is a third of the time that Python's JSON scanner takes over many at once, and
a tenth of what reading arrays in Python does. Needs the GIL; the texts are a column's, so lengths are the only bounds
there are. */

#ifndef TUSK_OBJECTS_H
#define TUSK_OBJECTS_H

#include <Python.h>

#include "_columns.h"

#define DEEPEST 64
#define MOST_DIMENSIONS 6
#define KEYS 64
#define LONGEST_KEY 64

enum content { DOCUMENT, INTEGERS, FLOATS, BOOLEANS, TEXTS, CONTENTS };

/* keys seen before: most documents of a column have the same ones */
typedef struct {
    const byte *text;
    size_t length;
    PyObject *key;
} seen_key;

typedef struct {
    const byte *at, *end;
    int depth;
    enum content content;
    seen_key *keys;
} texts;

/* the elements of one list while they come: few at first, and the list is made as long as they are */
#define FEW 16

typedef struct {
    PyObject *few[FEW], *list;
    Py_ssize_t count;
} elements;

static bool add_element(elements *e, PyObject *element) {
    if (element == NULL) return false;
    if (e->count < FEW) {
        e->few[e->count++] = element;
        return true;
    }
    if (e->list == NULL && (e->list = PyList_New(0)) != NULL) {
        for (int i = 0; i < FEW; i++)
            if (PyList_Append(e->list, e->few[i]) < 0) break;
    }
    bool is_added = e->list && !PyErr_Occurred() && PyList_Append(e->list, element) == 0;
    Py_DECREF(element);
    e->count++;
    return is_added;
}

static PyObject *end_elements(elements *e, bool is_good) {
    PyObject *list = e->list;
    Py_ssize_t few = e->count < FEW ? e->count : FEW;
    if (is_good && list == NULL) {
        list = PyList_New(few);
        for (Py_ssize_t i = 0; list && i < few; i++) PyList_SetItem(list, i, Py_NewRef(e->few[i]));
    }
    for (Py_ssize_t i = 0; i < few; i++) Py_DECREF(e->few[i]);
    if (!is_good) Py_CLEAR(list);
    return list;
}

/* NULL without an exception is a refusal, here and in everything below */
static PyObject *decoded_text(const byte *text, size_t length) {
    PyObject *made = PyUnicode_DecodeUTF8((const char *)text, (Py_ssize_t)length, NULL);
    if (made == NULL && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) PyErr_Clear();
    return made;
}

/* what an escaped character stands for in a document; 0: that is for Python to say */
static byte unescaped(byte character) {
    switch (character) {
    case '"': case '\\': case '/': return character;
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
    }
}

static PyObject *text_with_escapes(const byte *from, const byte *end, bool is_document) {
    byte *plain = malloc((size_t)(end - from) + 1), *to = plain;
    if (plain == NULL) return PyErr_NoMemory();
    bool is_read = true;
    for (; from < end && is_read; from++) {
        *to = *from;
        /* the quote that ended the text was not an escaped one: so something follows each backslash */
        if (*from == '\\') *to = is_document ? unescaped(*++from) : *++from;
        is_read = *to++ != 0 || !is_document;
    }
    PyObject *made = is_read ? decoded_text(plain, (size_t)(to - plain)) : NULL;
    free(plain);
    return made;
}

static PyObject *known_key(texts *t, const byte *text, size_t length) {
    if (length == 0 || length > LONGEST_KEY) return decoded_text(text, length);
    seen_key *seen = &t->keys[(length * 31 + text[0] * 7 + text[length - 1]) % KEYS];
    if (seen->key == NULL || seen->length != length || memcmp(seen->text, text, length) != 0) {
        PyObject *key = decoded_text(text, length);
        if (key == NULL) return NULL;
        Py_XDECREF(seen->key);
        *seen = (seen_key){text, length, key};
    }
    return Py_NewRef(seen->key);
}

/* what stands between quotes; t->at is behind the first of them */
static PyObject *read_quoted(texts *t, bool is_key) {
    bool is_document = t->content == DOCUMENT, is_escaped = false;
    const byte *from = t->at;
    for (; t->at < t->end && *t->at != '"'; t->at++) {
        if (*t->at < ' ' && is_document) return NULL;
        if (*t->at != '\\') continue;
        is_escaped = true;
        if (++t->at == t->end) return NULL;
    }
    if (t->at == t->end) return NULL;
    const byte *end = t->at++;
    if (is_escaped) return text_with_escapes(from, end, is_document);
    return is_key ? known_key(t, from, (size_t)(end - from)) : decoded_text(from, (size_t)(end - from));
}

/* -- documents -------------------------------------------------------------------------------------------------- */

static bool skip(texts *t, byte character) {
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\n' || *t->at == '\t' || *t->at == '\r')) t->at++;
    if (t->at == t->end || *t->at != character) return false;
    t->at++;
    return true;
}

static PyObject *read_word(texts *t, const char *word, PyObject *meaning) {
    size_t length = strlen(word);
    if ((size_t)(t->end - t->at) < length || memcmp(t->at, word, length) != 0) return NULL;
    t->at += length;
    return Py_NewRef(meaning);
}

static PyObject *read_number(texts *t) {
    const byte *from = t->at, *at = from + (*from == '-');
    bool is_integer = true;
    if (at < t->end && *at == '0' && t->end - at > 1 && digit(at[1]) <= 9) return NULL;
    for (; at < t->end; at++) {
        if (digit(*at) <= 9) continue;
        if (*at != '.' && *at != 'e' && *at != 'E' && *at != '+' && *at != '-') break;
        is_integer = false;
    }
    t->at = at;
    int length = at - from > 64 ? 65 : (int)(at - from);
    byte value[8];
    if (is_integer) {
        int64_t number;
        if (!read_int64(from, length, value)) return NULL;
        memcpy(&number, value, 8);
        return PyLong_FromLongLong(number);
    }
    /* 15 digits are a float's in every case */
    decimal number;
    double found;
    if (!read_decimal(from, length, &number) || number.digits >= UINT64_C(1000000000000000)) return NULL;
    if (!read_float64(from, length, value)) return NULL;
    memcpy(&found, value, 8);
    return PyFloat_FromDouble(found);
}

static PyObject *read_document(texts *t);

static PyObject *read_object(texts *t) {
    PyObject *object = PyDict_New();
    Py_ssize_t count = 0;
    bool is_read = object != NULL, is_over = is_read && skip(t, '}');
    while (is_read && !is_over) {
        PyObject *key = skip(t, '"') ? read_quoted(t, true) : NULL;
        PyObject *value = key && skip(t, ':') ? read_document(t) : NULL;
        is_read = value && PyDict_SetItem(object, key, value) == 0;
        Py_XDECREF(key);
        Py_XDECREF(value);
        count++;
        if (!is_read || skip(t, ',')) continue;
        is_over = true;
        is_read = skip(t, '}');
    }
    if (!is_read || PyDict_Size(object) != count) Py_CLEAR(object);
    return object;
}

static PyObject *read_list(texts *t) {
    elements e = {.count = 0};
    bool is_read = true, is_over = skip(t, ']');
    while (is_read && !is_over) {
        is_read = add_element(&e, read_document(t));
        if (!is_read || skip(t, ',')) continue;
        is_over = true;
        is_read = skip(t, ']');
    }
    return end_elements(&e, is_read);
}

static PyObject *read_document(texts *t) {
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\n' || *t->at == '\t' || *t->at == '\r')) t->at++;
    if (t->at == t->end || t->depth >= DEEPEST) return NULL;
    PyObject *made;
    t->depth++;
    switch (*t->at) {
    case '{': t->at++; made = read_object(t); break;
    case '[': t->at++; made = read_list(t); break;
    case '"': t->at++; made = read_quoted(t, false); break;
    case 't': made = read_word(t, "true", Py_True); break;
    case 'f': made = read_word(t, "false", Py_False); break;
    case 'n': made = read_word(t, "null", Py_None); break;
    default: made = *t->at == '-' || digit(*t->at) <= 9 ? read_number(t) : NULL;
    }
    t->depth--;
    return made;
}

/* -- arrays ----------------------------------------------------------------------------------------------------- */

static PyObject *read_bare(texts *t) {
    const byte *from = t->at;
    for (; t->at < t->end && *t->at != ',' && *t->at != '}'; t->at++)
        if (*t->at <= ' ' || *t->at == '"' || *t->at == '\\' || *t->at == '{') return NULL;
    int length = (int)(t->at - from);
    byte value[8];
    bool is_true;
    if (length == 4 && memcmp(from, "NULL", 4) == 0) return Py_NewRef(Py_None);
    if (length == 0) return NULL;
    if (t->content == TEXTS) return decoded_text(from, (size_t)length);
    if (t->content == INTEGERS && read_int64(from, length, value)) {
        int64_t number;
        memcpy(&number, value, 8);
        return PyLong_FromLongLong(number);
    }
    if (t->content == FLOATS && read_float64(from, length, value)) {
        double number;
        memcpy(&number, value, 8);
        return PyFloat_FromDouble(number);
    }
    if (t->content == BOOLEANS && read_bool(from, length, &is_true)) return PyBool_FromLong(is_true);
    return NULL;
}

static PyObject *read_array(texts *t) {
    elements e = {.count = 0};
    if (t->at == t->end || *t->at++ != '{' || t->depth >= MOST_DIMENSIONS) return NULL;
    bool is_read = true, is_over = t->depth == 0 && t->at < t->end && *t->at == '}';
    t->depth++;
    t->at += is_over;
    while (is_read && !is_over) {
        PyObject *element = NULL;
        if (t->at < t->end && *t->at == '{') element = read_array(t);
        else if (t->at < t->end && *t->at == '"') element = t->content == TEXTS ? (t->at++, read_quoted(t, false)) : NULL;
        else element = read_bare(t);
        is_read = add_element(&e, element) && t->at < t->end && (*t->at == ',' || *t->at == '}');
        is_over = is_read && *t->at++ == '}';
    }
    t->depth--;
    return end_elements(&e, is_read);
}

static PyObject *read_text(texts *t) {
    PyObject *made = t->content == DOCUMENT ? read_document(t) : read_array(t);
    if (t->content == DOCUMENT)
        while (t->at < t->end && (*t->at == ' ' || *t->at == '\n' || *t->at == '\t' || *t->at == '\r')) t->at++;
    if (made && t->at != t->end) Py_CLEAR(made);
    return made;
}

#endif
