import torch

from kvengine import KVCache, load_model, load_tokenizer, trace

name = "stories-1m-h8-kv8"
model, tokenizer = load_model(name), load_tokenizer(name)
ids = torch.tensor([tokenizer.encode("Tom and Sara went to the park. Tom gave the ball to")])
cache = KVCache(model.config)
model(ids[:, :-1], cache)  # prefill: all tokens but the last
step = trace(model, ids[:, -1:], cache)  # one decode step, with every tensor of it
for tensor in (tensor for tensor in step if tensor.startswith("layers.3.attn.")):
    print(f"{tensor:22} {step[tensor].shape}")
print("next token:", tokenizer.token_text(int(step["logits"].argmax())))
