; test raise sites=1
; test check

// IsNaN of the weights, as a comparison with themselves and its opposite; the Where takes zero first.
graph onnx_guard_is_nan {
  %q = input : f32[2, 2, 6, 4]
  %k = input : f32[2, 2, 6, 4]
  %v = input : f32[2, 2, 6, 4]
  %keep = input : bool[2, 1, 1, 6]
  %kt = transpose %k { order = [-4, -3, -1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %bias = select %keep, 0.0, -inf
  %m = add %u, %bias
  %w = softmax %m { axis = -1 }
  %same = eq %w, %w
  %nan = not %same
  %z = select %nan, 0.0, %w
  %y = matmul %z, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
