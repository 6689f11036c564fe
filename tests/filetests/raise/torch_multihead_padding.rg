; test raise sites=1
; test check

// nn.MultiheadAttention with key_padding_mask: baddbmm of the mask, heads folded into the batch.
graph torch_multihead_padding {
  %q = input : f32[4, 6, 4]
  %k = input : f32[4, 6, 4]
  %v = input : f32[4, 6, 4]
  %padding = input : bool[2, 6]
  %zero_or_hidden = select %padding, -inf, 0.0
  %m1 = reshape %zero_or_hidden { shape = [2, 1, 1, 6] }
  %m2 = expand %m1 { shape = [2, 2, 1, 6] }
  %mask = reshape %m2 { shape = [4, 1, 6] }
  %q_scaled = mul %q, 0.5
  %kt = transpose %k { order = [-1, -2] }
  %product = matmul %q_scaled, %kt
  %s = add %mask, %product
  %w = softmax %s { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
