//! Hostile files: valid ones of every format, changed at random, thousands of times. Whatever is wrong with a file, the
//! readers say so or read it; they do not panic, hang, or allocate beyond the file's own size class.
//!
//! `EXGNET_FUZZ=20000 cargo test --release --test fuzz` sets how many changed files each format gets. Found cases become
//! tests of the reader they were found in.

use exgnet::ecg::sources::{Kind, load};
use exgnet::ecg::splits::SavedSplit;
use exgnet::ecg::wfdb::annotation::parse_annotations;
use exgnet::ecg::wfdb::{Header, read_signal};
use exgnet::ecg::{GuidanceConfig, Leads, LoadOptions, Source, SyntheticOptions, prepared, strip_input};
use peak_alloc::PeakAlloc;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::path::Path;
use std::time::Instant;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What reading a small file may take whatever it says: buffers, and strips at another rate.
const MOST_BYTES: usize = 24 << 20;
const MOST_SECONDS: f64 = 5.0;

/// Values that programs stumble over.
const ODD: [&str; 16] = [
    "0",
    "-1",
    "1e308",
    "nan",
    "inf",
    "65536",
    "2147483647",
    "4294967296",
    "18446744073709551615",
    "-9223372036854775808",
    "99999999999999999999",
    "",
    ",",
    "\"",
    "\n",
    "\u{fffd}",
];

fn changed(bytes: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..rng.random_range(1..=2) {
        let n = out.len().max(1);
        let at = rng.random_range(0..n).min(out.len());
        match rng.random_range(0..7) {
            0 if at < out.len() => out[at] ^= 1 << rng.random_range(0..8),
            1 if at < out.len() => out[at] = rng.random_range(0..=255),
            2 => out.truncate(at),
            3 => {
                let odd = ODD[rng.random_range(0..ODD.len())];
                let end = (at + rng.random_range(0..6)).min(out.len());
                out.splice(at..end, odd.bytes());
            }
            4 => {
                let end = (at + rng.random_range(1..200)).min(out.len());
                let part = out[at..end].to_vec();
                let to = rng.random_range(0..=out.len());
                out.splice(to..to, part);
            }
            5 => {
                let end = (at + rng.random_range(1..20)).min(out.len());
                out.drain(at..end);
            }
            _ => {
                // four bytes as a number of some size
                let end = (at + 4).min(out.len());
                let value = [0_u32, 1, 0x7fff_ffff, 0xffff_ffff, 0x8000_0000, 255, 65535][rng.random_range(0..7)];
                out.splice(at..end, value.to_le_bytes());
            }
        }
    }
    out
}

/// Changes the seeds again and again and gives them to `target`, which says whether it could read them.
fn fuzz(what: &str, seeds: &[Vec<u8>], mut target: impl FnMut(&[u8]) -> bool) {
    let rounds: u64 = std::env::var("EXGNET_FUZZ").ok().and_then(|v| v.parse().ok()).unwrap_or(1000);
    let (mut most_bytes, mut most_seconds, mut read) = (0, 0.0_f64, 0);
    for seed in seeds {
        assert!(target(seed), "{what}: a file that was not changed is refused: {}", String::from_utf8_lossy(seed));
    }
    for round in 0..rounds {
        let mut rng = ChaCha8Rng::seed_from_u64(round);
        let bytes = changed(&seeds[round as usize % seeds.len()], &mut rng);
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let start = Instant::now();
        read += u64::from(target(&bytes));
        let (seconds, used) = (start.elapsed().as_secs_f64(), MEMORY.peak_usage().saturating_sub(before));
        (most_bytes, most_seconds) = (used.max(most_bytes), seconds.max(most_seconds));
        assert!(used < MOST_BYTES + 64 * bytes.len(), "{what} {round}: {used} bytes for a file of {}", bytes.len());
        assert!(seconds < MOST_SECONDS, "{what} {round}: {seconds} s");
    }
    assert!(0 < read && read < rounds, "{what}: {read} of {rounds} were read");
    println!(
        "{what}: {rounds} files, {read} of them read, at most {:.1} MB and {:.0} ms",
        most_bytes as f64 / 1e6,
        1e3 * most_seconds
    );
}

fn options() -> LoadOptions {
    LoadOptions { fs: 100.0, seconds: 2.0, min_class: 0, clean: true, ..LoadOptions::default() }
}

fn write(dir: &Path, name: &str, bytes: impl AsRef<[u8]>) {
    std::fs::write(dir.join(name), bytes).unwrap();
}

/// Bytes of which no stretch means a missing sample, in any of the formats.
fn samples(n: u32) -> Vec<u8> {
    (0..n).map(|i| (i * 37 % 101 + 5) as u8).collect()
}

fn codes(n: i16) -> Vec<u8> {
    (0..n).flat_map(|i| (i * 37 % 501).to_le_bytes()).collect()
}

/// One test, so that what one format allocates is not counted for another.
#[test]
fn changed_files_are_read_or_refused() {
    let root = tempfile::tempdir().unwrap();
    let folder = |name: &str| {
        let dir = root.path().join(name);
        std::fs::create_dir(&dir).unwrap();
        dir
    };

    let headers = [
        "r 2 360/720(5) 650000 0:0:0 1/2/1990\nr.dat 212 200(1024)/mV 11 1000 995 -22131 0 MLII\nr.dat 212x2:3+8 0 11\n# Dx: 1,2\n",
        "r 1 500 200 2014-05-08 05:05:15\nr.mat 16+24 1000/mV 16 0 -127 0 0 II\n#Dx: 426783006,427084000\n",
    ];
    let headers: Vec<Vec<u8>> = headers.iter().map(|h| h.as_bytes().to_vec()).collect();
    fuzz("header", &headers, |bytes| Header::parse(Path::new("r.hea"), &String::from_utf8_lossy(bytes)).is_ok());

    let dir = folder("signal");
    let records: Vec<Vec<u8>> = [8, 16, 24, 32, 61, 80, 160, 212, 310, 311]
        .iter()
        .map(|f| {
            format!(
                "r 2 100 250\nr.dat {f} 200 0 0 0 0 0 II\nr.dat {f}x2:1+4 100(3)/uV 12 0 5 77 0 V1\n#Dx: 426783006\n"
            )
            .into_bytes()
        })
        .collect();
    write(&dir, "r.dat", samples(3200));
    write(&dir, "r.atr", [[28 << 2, 0], [0, 0]].concat());
    fuzz("header and signal", &records, |bytes| {
        write(&dir, "r.hea", bytes);
        if let Ok(header) = Header::read(&dir.join("r.hea")) {
            for i in 0..header.signals.len().min(3) {
                let _ = read_signal(&header, i, false);
            }
        }
        let _ = load(Kind::Mitbih, &dir, &options());
        let _ = strip_input::read(&dir.join("r@0.5"), "II", None);
        load(Kind::Wfdb, &dir, &options()).is_ok()
    });

    let dir = folder("segments");
    write(&dir, "s.hea", "s 2 100 250\nr.dat 16 200 0 0 0 0 0 II\nr.dat 16 200 0 0 0 0 0 V1\n");
    write(&dir, "t.hea", "t 1 100 250\nr.dat 16 200 0 0 0 0 0 II\n");
    write(&dir, "lay.hea", "lay 2 100 0\n~ 0 200/mV 0 0 0 0 0 II\n~ 0 200/mV 0 0 0 0 0 V1\n");
    write(&dir, "r.dat", codes(500));
    write(&dir, "r.atr", [[28 << 2, 0], [0, 0]].concat());
    let masters = [
        "r/2 2 100 500\ns 250\ns 250\n#Dx: 426783006\n",
        "r/4 2 100 750\nlay 0\nt 250\n~ 250\ns 250\n#Dx: 426783006\n",
        "r/2 2 100 250\ns 125\nr 125\n#Dx: 426783006\n",
    ];
    let masters: Vec<Vec<u8>> = masters.iter().map(|h| h.as_bytes().to_vec()).collect();
    fuzz("header of segments", &masters, |bytes| {
        write(&dir, "r.hea", bytes);
        let header = Header::read(&dir.join("r.hea"));
        if let Ok(header) = &header {
            for i in 0..header.signals.len().min(3) {
                let _ = read_signal(header, i, false);
            }
        }
        let _ = strip_input::read(&dir.join("r@0.5"), "II", None);
        header.is_ok()
    });
    let layout = b"lay 2 100 0\n~ 0 200/mV 0 0 0 0 0 II\n~ 0 200/mV 0 0 0 0 0 V1\n".to_vec();
    write(&dir, "r.hea", masters[1].clone());
    fuzz("layout", &[layout], |bytes| {
        write(&dir, "lay.hea", bytes);
        load(Kind::Wfdb, &dir, &options()).is_ok()
    });

    let dir = folder("flac");
    let golden = |name: &str| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/ecg/wfdb/records").join(name);
        std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    };
    for (name, lines) in [("f508", 1), ("f516_three", 3), ("f524_three", 3)] {
        // one with the length in the header, one without
        for n in ["40", ""] {
            let text = String::from_utf8(golden(&format!("{name}.hea"))).unwrap();
            let rest: Vec<&str> = text.lines().skip(1).collect();
            write(&dir, "r.hea", format!("r {lines} 250 {n}\n{}\n", rest.join("\n")));
            fuzz(&format!("FLAC, {name} {n}"), &[golden(&format!("{name}.dat"))], |bytes| {
                write(&dir, &format!("{name}.dat"), bytes);
                let header = Header::read(&dir.join("r.hea")).unwrap();
                (0..lines).all(|i| read_signal(&header, i, false).is_ok())
            });
        }
    }

    let dir = folder("samples");
    write(&dir, "r.hea", "r 1 100 300\nr.dat 212 200 0 0 0 0 0 II\n#Dx: 426783006\n");
    fuzz("signal", &[samples(450)], |bytes| {
        write(&dir, "r.dat", bytes);
        load(Kind::Wfdb, &dir, &options()).is_ok()
    });

    let word = |code: u16, value: u16| (code << 10 | value).to_le_bytes().to_vec();
    let annotations = [
        word(28, 18),
        word(63, 5),
        b"(AFIB\0".to_vec(),
        word(1, 59),
        word(61, 1),
        word(62, 1),
        word(59, 0),
        vec![1, 0, 0x70, 0x11],
        word(5, 3),
        word(60, 0x3ff),
        word(0, 0),
    ]
    .concat();
    let own = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/ecg/wfdb/records/ann_own.atr"));
    fuzz("annotation", &[annotations, own.unwrap()], |bytes| {
        let file = parse_annotations(Path::new("r.atr"), bytes);
        file.is_ok_and(|file| file.at_rate(360.0, 0.001).len() < 100_000)
    });

    let dir = folder("csv");
    let names: Vec<String> = (0..200).map(|i| i.to_string()).collect();
    let features =
        "bpm,MeanNN,SDNN,SDSD,RMSSD,CVNN,CVSD,MedianNN,MadNN,MCVNN,IQRNN,SDRMSSD,Prc20NN,Prc80NN,MinNN,MaxNN,HTI";
    let row = |k: usize| {
        let samples: Vec<String> = (0..200).map(|i| format!("{:.3}", ((i * 7 + k) % 50) as f64 / 50.0)).collect();
        format!(
            "{},{},{}\n",
            samples.join(","),
            ["60.5"; 17].join(","),
            if k.is_multiple_of(2) { "1,0" } else { "0,1.0" }
        )
    };
    let csv = format!("{},{features},Sinus Rhythm,Others\n{}{}{}", names.join(","), row(0), row(1), row(2));
    let file = dir.join("rows.csv");
    fuzz("csv", &[csv.into_bytes()], |bytes| {
        std::fs::write(&file, bytes).unwrap();
        load(Kind::Csv, &file, &LoadOptions { csv_fs: 100.0, ..options() }).is_ok()
    });

    let dir = folder("muse");
    let xlsx = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens/ecg/small.xlsx");
    let xlsx = std::fs::read(xlsx).unwrap();
    let rows: String = (0..1100).map(|i| format!("{0}.5,{0},-1e1,4,5,6,7,8,9,10,11,12\n", i * 37 % 501)).collect();
    write(&dir, "MUSE_01.csv", &rows);
    fuzz("xlsx", std::slice::from_ref(&xlsx), |bytes| {
        write(&dir, "Diagnostics.xlsx", bytes);
        load(Kind::Muse, &dir, &options()).is_ok()
    });
    write(&dir, "Diagnostics.xlsx", xlsx);
    fuzz("record csv", &[rows.into_bytes()], |bytes| {
        write(&dir, "MUSE_01.csv", bytes);
        load(Kind::Muse, &dir, &options()).is_ok()
    });

    let dir = folder("cinc2017");
    write(&dir, "A1.hea", "A1 1 100 300\nA1.mat 16+24 1000/mV 16 0 -127 0 0 ECG\n");
    write(&dir, "A1.mat", codes(312));
    // a scheme in which N needs no rate: this signal has no beats
    let af3 = LoadOptions { classes: "af3".into(), ..options() };
    fuzz("reference", &[b"A1,N\nA2,A\nA3,~\n".to_vec()], |bytes| {
        write(&dir, "REFERENCE.csv", bytes);
        load(Kind::Cinc2017, &dir, &af3).is_ok()
    });

    let dir = folder("table");
    write(&dir, "a.hea", "a 2 100 500\na.dat 16 1000/mV 16 0 5 0 0 II\na.dat 16 1000/mV 16 0 5 0 0 V1\n");
    write(&dir, "a.dat", codes(1000));
    let table = "record,start,end,class,patient\na,0,2,SR,1\n\"a\",2,4.5,AFIB/AFL,1\r\na,,,426177001,\n";
    fuzz("table", &[table.as_bytes().to_vec()], |bytes| {
        write(&dir, "labels.csv", bytes);
        load(Kind::Table, &dir, &LoadOptions { leads: Leads::All, ..options() }).is_ok()
    });

    let dir = folder("strips");
    let mut npy = b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f4', 'fortran_order': False, 'shape': (1, 200), }".to_vec();
    npy.resize(127, b' ');
    npy.push(b'\n');
    npy.extend((0..200).flat_map(|i| ((i as f32) * 0.3).sin().to_le_bytes()));
    fuzz("npy", &[npy], |bytes| {
        write(&dir, "x.npy", bytes);
        let strip = strip_input::read(&dir.join("x.npy"), "II", None);
        strip.is_ok_and(|s| strip_input::prepare(&s, Some(100.0), &options().preprocessing()).is_ok())
    });
    let text: String = (0..200).map(|i| format!("{}\n", i % 17)).collect();
    fuzz("txt", &[text.into_bytes()], |bytes| {
        write(&dir, "x.txt", bytes);
        let strip = strip_input::read(&dir.join("x.txt"), "II", None);
        strip.is_ok_and(|s| strip_input::prepare(&s, Some(100.0), &options().preprocessing()).is_ok())
    });

    let file = folder("prepared").join("set.safetensors");
    let synthetic = SyntheticOptions { records: 4, ..SyntheticOptions::default() };
    let sources = [Source::new(Kind::Synthetic, "")];
    let with = LoadOptions { synthetic, ..options() };
    prepared::prepare(&sources, &with, &GuidanceConfig::default(), &file, &|_| {}).unwrap();
    let whole = std::fs::read(&file).unwrap();
    // most changes are to hit the header, which is smaller than the data
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    fuzz("prepared", &[whole[..header].to_vec(), whole.clone()], |bytes| {
        let mut bytes = bytes.to_vec();
        if bytes.len() < header + 100 {
            bytes.extend(&whole[header..]);
        }
        std::fs::write(&file, bytes).unwrap();
        prepared::read(&file).is_ok()
    });

    let file = folder("split").join("folds.json");
    let split =
        br#"{"format": "exgnet-split-1", "kind": "grouped", "folds": 2, "seed": 42, "records": {"a/1": 0, "a/2": 1}}"#;
    fuzz("split", &[split.to_vec()], |bytes| {
        std::fs::write(&file, bytes).unwrap();
        SavedSplit::read(&file).is_ok_and(|saved| saved.apply(&["a/1".into(), "a/2".into()]).is_ok())
    });
}
