"""CLIP's tokenizer through `tokenizers` alone: the numbers that transformers' CLIPTokenizer gives, each one.

Importing transformers takes 3 seconds of a processor. A folder whose files say more than CLIP's own do is left to it
(`read` gives None), and it is the twin that tests hold this one to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentworld.worlds.card import read_json

if TYPE_CHECKING:
    import torch
    from tokenizers import AddedToken, Tokenizer

# what a plain tokenizer's config may say; of anything else nothing is known here
TELLS = {
    "add_prefix_space", "backend", "bos_token", "do_lower_case", "eos_token", "errors", "is_local", "local_files_only",
    "model_max_length", "name_or_path", "pad_token", "processor_class", "special_tokens_map_file", "tokenizer_class",
    "unk_token",
}  # fmt: skip
SPECIAL = ("bos_token", "eos_token", "unk_token", "pad_token")  # in the order in which CLIPTokenizer adds them
END = "<|endoftext|>"
USUAL = {"bos_token": "<|startoftext|>", "eos_token": END, "unk_token": END, "pad_token": END}
UNLIMITED = int(1e30)  # tokens, as transformers has it of a tokenizer that says nothing
SUFFIX = "</w>"  # ends a word
PIECES = (
    r"""<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"""  # CLIP's own
)


@dataclass(frozen=True)
class Words:
    """Texts as numbers: of one text a list, of several lists of them, or tensors `[texts, tokens]`; the mask is 1 where
    a text is, and 0 where it was filled up."""

    input_ids: Any
    attention_mask: Any


class ClipWords:
    """Texts to tokens, asked as CLIPTokenizer is. It keeps no state, so that threads need not take turns."""

    def __init__(self, tokenizer: Tokenizer, tokens: Mapping[str, str], model_max_length: int) -> None:
        self.model_max_length = model_max_length
        self._tokenizer = tokenizer
        self._end, self._pad = (number_of(tokenizer, tokens, name) for name in ("eos_token", "pad_token"))

    def __call__(
        self,
        text: str | Sequence[str],
        padding: str | bool = False,
        max_length: int | None = None,
        truncation: bool = False,
        return_tensors: str | None = None,
        verbose: bool = True,
        add_special_tokens: bool = True,
    ) -> Words:
        """Numbers of a text, or of several. truncation: to `max_length`, with the end token last; padding: up to it
        where it is "max_length"; return_tensors: "pt" or none."""
        texts = [text] if isinstance(text, str) else list(text)
        longest = self.model_max_length if max_length is None else max_length
        ids = [encoded.ids for encoded in self._tokenizer.encode_batch(texts, add_special_tokens=add_special_tokens)]
        if truncation:
            end = [self._end] if add_special_tokens else []
            ids = [one if len(one) <= longest else [*one[: longest - len(end)], *end] for one in ids]
        mask = [[1] * len(one) for one in ids]
        if padding == "max_length":
            mask = [one + [0] * (longest - len(one)) for one in mask]
            ids = [one + [self._pad] * (longest - len(one)) for one in ids]
        if return_tensors == "pt":
            import torch

            return Words(torch.tensor(ids), torch.tensor(mask))
        return Words(ids[0], mask[0]) if isinstance(text, str) else Words(ids, mask)

    def decode(self, ids: Sequence[int]) -> str:
        """The words behind numbers, special ones too."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=False).replace(SUFFIX, " ").strip()


def number_of(tokenizer: Tokenizer, tokens: Mapping[str, str], name: str) -> int:
    """A special token's number, that of the unknown one where it has none. Raises KeyError where that has none."""
    for word in (tokens[name], tokens["unk_token"]):
        number = tokenizer.token_to_id(word)
        if number is not None:
            return number
    raise KeyError(tokens[name])


def read(folder: Path, dtype: torch.dtype | None = None) -> ClipWords | None:
    """The tokenizer in a folder; None where its files are missing, or say more than CLIP's own do. Raises WorldDamaged
    for JSON that cannot be read."""
    if not (folder / "tokenizer_config.json").is_file() or (folder / "added_tokens.json").is_file():
        return None
    config = read_json(folder / "tokenizer_config.json")
    if config.get("tokenizer_class") not in ("CLIPTokenizer", "CLIPTokenizerFast") or not config.keys() <= TELLS:
        return None
    try:
        return _made(folder, config)
    except Exception:  # whatever a library makes of files that mean nothing: transformers' words are known for those
        return None


def _made(folder: Path, config: Mapping[str, object]) -> ClipWords | None:
    from tokenizers.models import BPE

    told = {name: config[name] for name in SPECIAL if name in config}
    legacy = folder / "special_tokens_map.json"
    if legacy.is_file():
        mapped = read_json(legacy)
        if not USUAL.keys() >= mapped.keys():
            return None
        told |= {
            name: {**value, "special": True} if isinstance(value, dict) else value for name, value in mapped.items()
        }
    if not (folder / "tokenizer.json").is_file():
        vocab, merges = BPE.read_file(str(folder / "vocab.json"), str(folder / "merges.txt"))
        return _assembled(vocab, merges, told, [], config.get("model_max_length"))
    table: Mapping[str, Any] = read_json(folder / "tokenizer.json")
    if table.get("truncation") is not None or table.get("padding") is not None:
        return None
    listed = [_token(entry) for entry in sorted(table["added_tokens"], key=lambda entry: int(entry["id"]))]
    pairs = [one.split(" ") if isinstance(one, str) else one for one in table["model"]["merges"]]
    merges = [(str(left), str(right)) for left, right in pairs]
    return _assembled(table["model"]["vocab"], merges, told, listed, config.get("model_max_length"))


def _assembled(
    vocab: Mapping[str, int],
    merges: Sequence[tuple[str, str]],
    told: Mapping[str, object],
    listed: Sequence[AddedToken],
    longest: object,
) -> ClipWords:
    """As CLIPTokenizer puts it together. told: the special tokens, as files have them; listed: tokens that the whole
    file lists beside its vocabulary, in the order of their numbers."""
    from tokenizers import Regex, Tokenizer, decoders, normalizers, pre_tokenizers, processors
    from tokenizers.models import BPE

    given = {name: told.get(name, usual) for name, usual in USUAL.items()}
    by_name = {str(token.content): token for token in listed}
    special = {name: value if isinstance(value, str) else _token(value) for name, value in given.items()}
    tokens = {name: value if isinstance(value, str) else str(value.content) for name, value in special.items()}
    made = Tokenizer(
        BPE(
            vocab=dict(vocab),
            merges=list(merges),
            continuing_subword_prefix="",
            end_of_word_suffix=SUFFIX,
            fuse_unk=False,
            unk_token=tokens["unk_token"],
        )
    )
    made.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    made.decoder = decoders.ByteLevel()
    made.add_tokens(list(_added(listed, [by_name.get(tokens[name], special[name]) for name in SPECIAL])))
    own = ClipWords(made, tokens, int(longest) if isinstance(longest, int | float) else UNLIMITED)
    ends, begins = ((tokens[name], number_of(made, tokens, name)) for name in ("eos_token", "bos_token"))
    made.post_processor = processors.RobertaProcessing(ends, begins, False, False)
    return own


def _added(listed: Sequence[AddedToken], special: Iterable[str | AddedToken]) -> list[AddedToken]:
    """What CLIPTokenizer adds to a vocabulary: what is listed, then special tokens that are not in it, marked so."""
    from tokenizers import AddedToken

    names, found = {str(token.content) for token in listed}, list(listed)
    later: list[str | AddedToken] = []
    for token in special:
        name = token if isinstance(token, str) else str(token.content)
        if name not in names and token not in later:
            later.append(token)
    for token in later:
        marked = AddedToken(token, special=True) if isinstance(token, str) else token
        marked.special = True
        found.append(marked)
    return found


def _token(entry: object) -> AddedToken:
    """A token as files write it."""
    from tokenizers import AddedToken

    assert isinstance(entry, dict)
    return AddedToken(**{key: value for key, value in entry.items() if key not in ("id", "__type")})
