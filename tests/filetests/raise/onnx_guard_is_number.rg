; test raise sites=1
; test check

// Weights where they equal themselves, else a zero that is broadcast.
graph onnx_guard_is_number {
  %q = input : f32[2, 2, 6, 4]
  %k = input : f32[2, 2, 6, 4]
  %v = input : f32[2, 2, 6, 4]
  %keep = input : bool[2, 1, 1, 6]
  %kt = transpose %k { order = [-4, -3, -1, -2] }
  %s = matmul %q, %kt
  %u = mul %s, 0.5
  %m = select %keep, %u, -inf
  %w = softmax %m { axis = -1 }
  %same = eq %w, %w
  %zero = const { value = 0.0 } : f32[1]
  %z = select %same, %w, %zero
  %y = matmul %z, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
