; test raise sites=1
; test check

// LeViT on maps, as timm's convolutional form has it: scores from qᵀk, values times transposed weights.
graph levit_channels_first {
  %q = input : f32[2, 2, 4, 9]
  %k = input : f32[2, 2, 4, 9]
  %v = input : f32[2, 2, 8, 9]
  %biases = weight : f32[2, 9, 9]
  %qt = transpose %q { order = [-1, -2] }
  %s = matmul %qt, %k
  %scaled = mul %s, 0.5
  %biased = add %scaled, %biases
  %w = softmax %biased { axis = -1 }
  %wt = transpose %w { order = [-1, -2] }
  %o = matmul %v, %wt
  %y = reshape %o { shape = [2, 16, 9] }
  return %y
}

; expect raise sites=1
;   1 of 1 sites are kernels; 0 apart from their scores, 0 exponentials elsewhere

; expect check
;   %y within 1e-5 of the reference
