//! `Bare`: an instance of the component as a host drives it that has not our bindings.

use std::fs;

use wasmtime::{
    Config, Engine, Store,
    component::{Component, ComponentExportIndex, Instance, Linker, Val},
};

use crate::guest;

pub(crate) struct Bare {
    store: Store<()>,
    instance: Instance,
    interface: ComponentExportIndex,
}

impl Bare {
    pub(crate) fn new() -> Self {
        let engine = Engine::new(&Config::new()).unwrap();
        let wasm = fs::read(&*guest::FILE).unwrap();
        let component = Component::from_binary(&engine, &wasm).unwrap();
        assert_eq!(component.component_type().imports(&engine).count(), 0);
        let mut store = Store::new(&engine, ());
        let instance = Linker::new(&engine).instantiate(&mut store, &component).unwrap();
        let interface = instance.get_export_index(&mut store, None, "gocache:node/engine@0.1.0");
        Self { store, instance, interface: interface.unwrap() }
    }

    pub(crate) fn call(&mut self, verb: &str, arguments: &[Val]) -> Val {
        let Self { store, instance, interface } = self;
        let function = instance.get_export_index(&mut *store, Some(interface), verb).unwrap();
        let function = instance.get_func(&mut *store, function).unwrap();
        let mut answer = [Val::Bool(false)];
        function.call(store, arguments, &mut answer).unwrap();
        let [answer] = answer;
        answer
    }

    /// The misuse that it is told of.
    pub(crate) fn misuse(&mut self, verb: &str, arguments: &[Val]) -> Option<String> {
        match self.call(verb, arguments) {
            Val::Result(Err(Some(misuse))) => match *misuse {
                Val::Variant(name, _) => Some(name),
                other => panic!("{other:?}"),
            },
            Val::Result(Ok(_)) => None,
            other => panic!("{other:?}"),
        }
    }
}

/// An answer that is no misuse.
pub(crate) fn answered(answer: Val) -> Val {
    Val::Result(Ok(Some(Box::new(answer))))
}

/// What `get-batch` is asked for a key of this length.
pub(crate) fn client(key_bytes: u32) -> Val {
    record([
        ("group", Val::U16(0)),
        ("key-bytes", Val::U32(key_bytes)),
        ("asker", Val::Enum("client".to_owned())),
        ("waiter", Val::U64(7)),
    ])
}

pub(crate) fn record<const N: usize>(fields: [(&str, Val); N]) -> Val {
    Val::Record(fields.map(|(name, value)| (name.to_owned(), value)).into())
}

pub(crate) fn bytes(bytes: &[u8]) -> Val {
    Val::List(bytes.iter().map(|&byte| Val::U8(byte)).collect())
}
