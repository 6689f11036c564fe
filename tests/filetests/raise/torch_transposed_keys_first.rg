; test raise sites=1
; test check

// bmm of keys and queries, transposed before the softmax.
graph torch_transposed_keys_first {
  %q = input : f32[2, 6, 4]
  %k = input : f32[2, 6, 4]
  %v = input : f32[2, 6, 4]
  %qt = transpose %q { order = [-1, -2] }
  %kq = matmul %k, %qt
  %s = transpose %kq { order = [-1, -2] }
  %scaled = mul %s, 0.5
  %w = softmax %scaled { axis = -1 }
  %y = matmul %w, %v
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
