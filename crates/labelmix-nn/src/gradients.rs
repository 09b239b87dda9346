//! The outcome of a backward pass.

use std::borrow::Cow;
use std::collections::HashMap;

use candle_core::backprop::GradStore;
use candle_core::{Tensor, TensorId};

use crate::array::Buffer;
use crate::error::Result;
use crate::parallel;
use crate::value::{Data, Value};

/// The gradients of the leaves of a computation (candle leaves some of constants there, which nobody asks for). Those of several micro-batches can be added up.
#[derive(Default)]
pub struct Gradients {
    host: HashMap<u64, Buffer>,
    tensors: HashMap<TensorId, Tensor>,
}

impl Gradients {
    pub(crate) fn of_tensors(store: &GradStore) -> Self {
        let gradient = |id: &TensorId| Some((*id, store.get_id(*id)?.clone()));
        Self { host: HashMap::new(), tensors: store.get_ids().filter_map(gradient).collect() }
    }

    pub(crate) fn add_on_host(&mut self, id: u64, gradient: Buffer) {
        match self.host.get_mut(&id) {
            Some(existing) => parallel::add_assign(existing, &gradient),
            None => drop(self.host.insert(id, gradient)),
        }
    }

    /// Adds the gradients of another computation over the same leaves.
    ///
    /// # Errors
    /// If candle fails to add (on a device other than the host).
    pub fn accumulate(&mut self, other: Self) -> Result<()> {
        for (id, gradient) in other.host {
            self.add_on_host(id, gradient);
        }
        for (id, gradient) in other.tensors {
            let sum = match self.tensors.remove(&id) {
                Some(existing) => (existing + gradient)?,
                None => gradient,
            };
            self.tensors.insert(id, sum);
        }
        Ok(())
    }

    /// The gradient of a leaf in host memory, if the computation reached it.
    pub fn of(&self, leaf: &Value) -> Option<&[f32]> {
        self.host.get(&leaf.id()).map(|buffer| &**buffer)
    }

    /// The gradient of a leaf on any device, brought to the host.
    ///
    /// # Errors
    /// If another device cannot hand it over.
    pub fn to_vec(&self, leaf: &Value) -> Result<Option<Vec<f32>>> {
        Ok(self.on_host(leaf)?.map(Cow::into_owned))
    }

    pub(crate) fn on_host(&self, leaf: &Value) -> Result<Option<Cow<'_, [f32]>>> {
        match leaf.data() {
            Data::Host(_) => Ok(self.of(leaf).map(Cow::Borrowed)),
            Data::Tensor(tensor) => match self.tensors.get(&tensor.id()) {
                Some(gradient) => Ok(Some(Cow::Owned(gradient.flatten_all()?.to_vec1()?))),
                None => Ok(None),
            },
        }
    }

    /// The sum of squares of a leaf's gradient, if the computation reached it.
    pub(crate) fn sum_of_squares(&self, leaf: &Value) -> Result<Option<f64>> {
        match leaf.data() {
            Data::Host(_) => Ok(self.of(leaf).map(|gradient| gradient.iter().map(|g| f64::from(*g).powi(2)).sum())),
            Data::Tensor(tensor) => match self.tensors.get(&tensor.id()) {
                Some(gradient) => Ok(Some(f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?))),
                None => Ok(None),
            },
        }
    }

    /// Multiplies every gradient.
    pub(crate) fn scale(&mut self, factor: f32) -> Result<()> {
        for gradient in self.host.values_mut() {
            gradient.iter_mut().for_each(|value| *value *= factor);
        }
        for gradient in self.tensors.values_mut() {
            *gradient = (&*gradient * f64::from(factor))?;
        }
        Ok(())
    }

    /// Takes the gradient of a leaf in host memory out.
    pub(crate) fn take(&mut self, leaf: &Value) -> Option<Buffer> {
        self.host.remove(&leaf.id())
    }
}
