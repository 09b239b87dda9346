//! Weights as `torch.save` writes them: `pytorch_model.bin`, in the layout of today (a zip archive) and in that of before
//! 2020. The pickle inside is read as data by candle's reader; nothing of it is executed.
//!
//! Both layouts keep numbers uncompressed, so a tensor that lies there in order is used where it lies.

use std::collections::HashMap;
use std::io::{Cursor, Read};
use std::ops::Range;
use std::path::Path;

use candle_core::pickle::{Object, Stack};
use safetensors::Dtype;
use zip::{CompressionMethod, ZipArchive};

use crate::error::{Error, Result};

/// A tensor of a pickle.
pub(super) struct PickledTensor {
    pub(super) name: String,
    pub(super) dtype: Dtype,
    pub(super) shape: Vec<usize>,
    pub(super) numbers: Numbers,
}

/// Where a tensor's numbers are.
pub(super) enum Numbers {
    /// In the file.
    InPlace(Range<usize>),
    /// Put in order, because the file has them in another.
    Copied(Vec<u8>),
}

/// A pickle of names and tensors is small; what is larger is not one.
const LARGEST_PICKLE: u64 = 64 << 20;
/// What the layout of before 2020 begins with: a pickle of the number 0x1950a86a20f9469cfc6c.
const LEGACY_MAGIC: [u8; 15] =
    [0x80, 0x02, 0x8A, 0x0A, 0x6C, 0xFC, 0x9C, 0x46, 0xF9, 0x20, 0x6A, 0xA8, 0x50, 0x19, 0x2E];

/// The tensors of a file.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<Vec<PickledTensor>> {
    let (pickle, storages) = if bytes.starts_with(&LEGACY_MAGIC) { legacy(bytes) } else { zipped(bytes) }
        .map_err(|reason| wrong(path, reason))?;
    let Object::Dict(entries) = pickle else {
        return Err(wrong(
            path,
            "it does not hold a table of tensors: it should be what save_pretrained writes".into(),
        ));
    };
    let mut tensors = Vec::new();
    for (name, value) in entries {
        let Object::Unicode(name) = name else { continue };
        let Some(view) = View::of(value) else { continue };
        let tensor = view.locate(&storages, bytes).map_err(|reason| wrong(path, format!("{name:?}: {reason}")))?;
        tensors.push(PickledTensor { name, ..tensor });
    }
    Ok(tensors)
}

fn wrong(path: &Path, reason: String) -> Error {
    Error::Weights { path: path.into(), reason }
}

/// Where each storage lies in the file.
type Storages = HashMap<String, Range<usize>>;
type Parsed = std::result::Result<(Object, Storages), String>;

fn unpickle(bytes: &mut &[u8]) -> std::result::Result<Object, String> {
    let mut stack = Stack::empty();
    let read = stack.read_loop(bytes).and_then(|()| stack.finalize());
    read.map_err(|error| format!("not a pickle of tensors ({error})"))
}

fn zipped(bytes: &[u8]) -> Parsed {
    let not_a_file = |error: zip::result::ZipError| format!("not a whole file of torch.save ({error})");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(not_a_file)?;
    let (mut pickle, mut storages) = (None, Storages::new());
    for index in 0..archive.len() {
        let mut file = archive.by_index(index).map_err(not_a_file)?;
        let name = file.name().map_err(not_a_file)?.into_owned();
        // The archive's folder has the name that the file had when it was written.
        let Some((_, inside)) = name.split_once('/') else { continue };
        if inside == "data.pkl" {
            let mut contents = Vec::new();
            file.by_ref().take(LARGEST_PICKLE).read_to_end(&mut contents).map_err(|error| error.to_string())?;
            pickle = Some(unpickle(&mut contents.as_slice())?);
        } else if inside == "byteorder" {
            let mut order = String::new();
            file.by_ref().take(16).read_to_string(&mut order).map_err(|error| error.to_string())?;
            if order.trim() != "little" {
                return Err(format!("its numbers are in the byte order {order:?}"));
            }
        } else if let Some(key) = inside.strip_prefix("data/") {
            let start = file.data_start().and_then(|start| usize::try_from(start).ok());
            let size = usize::try_from(file.size()).ok();
            let range = start.zip(size).and_then(|(start, size)| Some(start..start.checked_add(size)?));
            let range = range.filter(|_| file.compression() == CompressionMethod::Stored);
            storages.insert(key.to_owned(), range.ok_or_else(|| format!("{name} is compressed"))?);
        }
    }
    Ok((pickle.ok_or("not a file of torch.save: it has no data.pkl")?, storages))
}

/// Four pickles (a magic number, a version, facts about the machine, the tensors), the storages' names, and each
/// storage: its number of elements in eight bytes, and the elements.
fn legacy(bytes: &[u8]) -> Parsed {
    let mut rest = bytes;
    for _ in 0..3 {
        unpickle(&mut rest)?;
    }
    let pickle = unpickle(&mut rest)?;
    let Object::List(keys) = unpickle(&mut rest)? else { return Err("it has no list of storages".into()) };
    let mut sizes = HashMap::new();
    collect_storages(&pickle, &mut sizes);
    let (mut storages, mut at) = (Storages::new(), bytes.len() - rest.len());
    for key in keys {
        let Object::Unicode(key) = key else { return Err("a storage has no name".into()) };
        let cut = || format!("it ends inside the storage {key}");
        let count = bytes.get(at..at + 8).and_then(|count| count.as_chunks::<8>().0.first()).ok_or_else(cut)?;
        let count = usize::try_from(u64::from_le_bytes(*count)).map_err(|_| cut())?;
        let element = sizes.get(&key).copied().ok_or_else(|| format!("the storage {key} is of an unknown type"))?;
        let end = count.checked_mul(element).and_then(|size| size.checked_add(at + 8)).ok_or_else(cut)?;
        if end > bytes.len() {
            return Err(cut());
        }
        storages.insert(key, at + 8..end);
        at = end;
    }
    Ok((pickle, storages))
}

/// The size of an element of every storage that an object names.
fn collect_storages(object: &Object, sizes: &mut HashMap<String, usize>) {
    match object {
        Object::PersistentLoad(id) => {
            if let Some((dtype, key)) = storage(id) {
                sizes.insert(key.to_owned(), element_bytes(dtype));
            }
        }
        Object::Tuple(parts) | Object::List(parts) => parts.iter().for_each(|part| collect_storages(part, sizes)),
        Object::Dict(entries) => entries.iter().for_each(|(_, value)| collect_storages(value, sizes)),
        Object::Reduce { args, .. } | Object::Build { args, .. } => collect_storages(args, sizes),
        _ => {}
    }
}

/// The type and the name of a storage: `("storage", torch.FloatStorage, name, device, elements)`.
fn storage(id: &Object) -> Option<(Dtype, &str)> {
    let Object::Tuple(parts) = id else { return None };
    let [Object::Unicode(_), Object::Class { class_name, .. }, Object::Unicode(key), ..] = parts.as_slice() else {
        return None;
    };
    let dtype = match class_name.as_str() {
        "FloatStorage" => Dtype::F32,
        "HalfStorage" => Dtype::F16,
        "BFloat16Storage" => Dtype::BF16,
        "DoubleStorage" => Dtype::F64,
        "LongStorage" => Dtype::I64,
        "IntStorage" => Dtype::I32,
        "ShortStorage" => Dtype::I16,
        "CharStorage" => Dtype::I8,
        "ByteStorage" => Dtype::U8,
        "BoolStorage" => Dtype::BOOL,
        _ => return None,
    };
    Some((dtype, key))
}

fn element_bytes(dtype: Dtype) -> usize {
    dtype.bitsize() / 8
}

/// A tensor as a view of a storage, in elements.
struct View {
    dtype: Dtype,
    storage: String,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

impl View {
    /// What `torch._utils._rebuild_tensor_v2` and its relatives are called with; `None` for other objects.
    fn of(object: Object) -> Option<Self> {
        let Object::Reduce { callable, args } = object else { return None };
        let (Object::Class { class_name, .. }, Object::Tuple(mut args)) = (*callable, *args) else { return None };
        match class_name.as_str() {
            // A parameter is a tensor with more around it.
            "_rebuild_parameter" | "_rebuild_parameter_with_state" if !args.is_empty() => Self::of(args.swap_remove(0)),
            // (callable, type, arguments, state)
            "_rebuild_from_type_v2" if args.len() >= 3 => {
                let (args, callable) = (args.swap_remove(2), args.swap_remove(0));
                Self::of(Object::Reduce { callable: Box::new(callable), args: Box::new(args) })
            }
            "_rebuild_tensor" | "_rebuild_tensor_v2" => {
                let [Object::PersistentLoad(id), offset, shape, strides, ..] = args.as_slice() else { return None };
                let (dtype, storage) = storage(id)?;
                let (shape, strides) = (numbers(shape)?, numbers(strides)?);
                let is_view = shape.len() == strides.len();
                is_view.then_some(Self { dtype, storage: storage.to_owned(), offset: number(offset)?, shape, strides })
            }
            _ => None,
        }
    }

    fn locate(self, storages: &Storages, bytes: &[u8]) -> std::result::Result<PickledTensor, String> {
        let Self { dtype, storage, offset, shape, strides } = self;
        let element = element_bytes(dtype);
        let range = storages.get(&storage).ok_or_else(|| format!("the storage {storage} is missing"))?;
        let stored = bytes.get(range.clone()).ok_or("the file ends inside it")?;
        let outside = || format!("its shape {shape:?} reaches beyond its storage");
        let count = shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size)).ok_or_else(outside)?;
        // A view has no more elements than its storage, unless it repeats some.
        let (start, size) = offset
            .checked_mul(element)
            .zip(count.checked_mul(element))
            .filter(|(_, size)| *size <= stored.len())
            .ok_or_else(outside)?;
        let numbers = if is_in_order(&shape, &strides) {
            let end = start.checked_add(size).filter(|end| *end <= stored.len()).ok_or_else(outside)?;
            Numbers::InPlace(range.start + start..range.start + end)
        } else {
            let mut copied = Vec::with_capacity(size);
            for index in 0..count {
                let at = position(index, &shape, &strides).and_then(|at| at.checked_add(offset)?.checked_mul(element));
                let number = at.and_then(|at| stored.get(at..at.checked_add(element)?)).ok_or_else(outside)?;
                copied.extend_from_slice(number);
            }
            Numbers::Copied(copied)
        };
        Ok(PickledTensor { name: String::new(), dtype, shape, numbers })
    }
}

fn number(object: &Object) -> Option<usize> {
    match object {
        Object::Int(number) => usize::try_from(*number).ok(),
        Object::Long(number) => usize::try_from(*number).ok(),
        _ => None,
    }
}

fn numbers(object: &Object) -> Option<Vec<usize>> {
    let Object::Tuple(parts) = object else { return None };
    parts.iter().map(number).collect()
}

/// Whether a view's elements stand one after the other, the last dimension fastest.
fn is_in_order(shape: &[usize], strides: &[usize]) -> bool {
    let mut expected = 1;
    shape.iter().zip(strides).rev().all(|(size, stride)| {
        let fits = *size <= 1 || *stride == expected;
        expected *= (*size).max(1);
        fits
    })
}

/// The place in a storage, counted from the view's first element, of the element `index` in the order of a view.
fn position(mut index: usize, shape: &[usize], strides: &[usize]) -> Option<usize> {
    let mut at = 0_usize;
    for (size, stride) in shape.iter().zip(strides).rev() {
        at = at.checked_add((index % size).checked_mul(*stride)?)?;
        index /= size;
    }
    Some(at)
}
